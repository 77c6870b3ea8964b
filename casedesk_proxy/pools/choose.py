"""Which node takes the next request: policies as pure functions of the nodes' states."""

from __future__ import annotations

from collections.abc import Sequence

from casedesk_proxy.pools.node import NodeState

__all__ = ["choose"]


def choose(policy: str, states: Sequence[NodeState], turn: int, now: float) -> NodeState | None:
    """The node to try, or None when all are full.

    ``states`` are the candidates in configured order, those already tried left out. ``turn``
    counts the deployment's requests. Nodes that failed a moment ago are used only when no
    healthy one has room: a cooled-down node may be back, and the alternative is an error.
    """
    usable = [state for state in states if state.is_available(now)]
    usable = usable or [state for state in states if not state.is_full()]
    if not usable:
        return None
    if policy == "ordered":
        return usable[0]
    if policy == "round-robin":
        return usable[turn % len(usable)]
    return min(usable, key=lambda state: ((state.in_flight + 1) / state.weight, state.served))
