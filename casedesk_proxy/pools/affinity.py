"""Sends the same conversation to the same node, so that its KV cache is used again.

Rendezvous hashing: each node has a score for each key, and the highest wins. When a node goes, only
its keys move; when it is back, they return. Weighted by the logarithm method (Schindelhauer and
Schomaker 2005). Bounded as in consistent hashing with bounded loads (Mirrokni, Thorup and
Zadimoghaddam 2016): a node with far more than its share passes to the next by score.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from hashlib import blake2b

from casedesk_proxy.pools.node import NodeState

__all__ = ["MAX_LOAD_FACTOR", "pick_by_affinity", "score"]

#: The multiple of its share that a node may carry before a key moves on.
MAX_LOAD_FACTOR = 1.25


def score(key: bytes, name: str, weight: int) -> float:
    """The node's score for the key; the same in every process. Both are hashed once and mixed for
    each pair, by the last steps of SplitMix64 (Steele, Lea and Flood 2014), in which every bit of
    the input affects every bit of the result."""
    mixed = _digest(key) ^ _digest(name.encode())
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & (2**64 - 1)
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & (2**64 - 1)
    # An open interval: the logarithm of 0 is undefined, that of 1 would give no score.
    return -weight / math.log(((mixed ^ mixed >> 31) + 1) / (2**64 + 2))


@functools.lru_cache(4096)
def _digest(text: bytes) -> int:
    return int.from_bytes(blake2b(text, digest_size=8).digest())


def pick_by_affinity(
    key: bytes, open_to: Sequence[NodeState], all_of: Sequence[NodeState]
) -> NodeState:
    """One of ``open_to``, which is not empty. Shares are computed over ``all_of``."""
    weight = sum(state.weight for state in all_of)
    load = sum(state.load for state in all_of) + 1

    def claim(state: NodeState) -> float:
        return score(key, state.name, state.weight)

    def fits(state: NodeState) -> bool:
        return state.load + 1 <= math.ceil(MAX_LOAD_FACTOR * load * state.weight / weight)

    first = max(open_to, key=claim)
    # With many nodes most keys stay where they are, and no other node is considered.
    return first if fits(first) else max(filter(fits, open_to), key=claim, default=first)
