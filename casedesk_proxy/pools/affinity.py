"""Sends the same conversation to the same node, so that its KV cache is hit again.

Rendezvous hashing: each node has a score for each key, the highest wins. When a node goes, only
its keys move; when it is back, they return. Weighted by the logarithm method (Schindelhauer and
Schomaker 2005). Bounded as in consistent hashing with bounded loads (Mirrokni, Thorup and
Zadimoghaddam 2016): a node with far more than its share passes to the next by score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b

from casedesk_proxy.pools.node import NodeState

__all__ = ["MAX_LOAD_FACTOR", "pick_by_affinity", "score"]

#: A node may carry so many times its share before a key moves on.
MAX_LOAD_FACTOR = 1.25


def score(key: bytes, name: str, weight: int) -> float:
    """The node's claim on the key; the same in every process."""
    digest = blake2b(key + b"\0" + name.encode(), digest_size=8).digest()
    # Open interval: the logarithm of 0 has no value, that of 1 would be no claim.
    chance = (int.from_bytes(digest) + 1) / (2**64 + 2)
    return -weight / math.log(chance)


def pick_by_affinity(
    key: bytes, open_to: Sequence[NodeState], all_of: Sequence[NodeState]
) -> NodeState:
    """One of ``open_to``, which is not empty. Shares are reckoned over ``all_of``."""
    weight = sum(state.weight for state in all_of)
    load = sum(state.load for state in all_of) + 1
    fitting = [
        state
        for state in open_to
        if state.load + 1 <= math.ceil(MAX_LOAD_FACTOR * load * state.weight / weight)
    ]
    return max(fitting or open_to, key=lambda state: score(key, state.name, state.weight))
