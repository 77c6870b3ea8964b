"""Which node gets the next request: policies as pure functions of the nodes' states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from casedesk_proxy.pools.affinity import pick_by_affinity
from casedesk_proxy.pools.node import NodeState, Service

__all__ = ["Demand", "choose", "is_hopeless"]


@dataclass(frozen=True, slots=True)
class Demand:
    """What one request needs of a node.

    ``nodes`` are the names of those that can serve it, in configured order; ``unloaded`` those of
    them that would have to load its ``model`` first. ``affinity_key`` is the same for requests that
    share the beginning of a conversation. ``action`` is the kind of request. ``is_about``: it is
    about something that one node has; it costs the node almost nothing and does not wait for room.
    """

    policy: str
    nodes: tuple[str, ...]
    unloaded: frozenset[str] = frozenset()
    affinity_key: bytes = b""
    model: str = ""
    action: str = ""
    is_about: bool = False

    @property
    def service(self) -> Service:
        return self.model, self.action


def is_hopeless(states: Sequence[NodeState]) -> bool:
    """Whether waiting cannot help: every node is being drained or gone."""
    return all(state.draining for state in states)


def choose(demand: Demand, states: Sequence[NodeState], turn: int, now: float) -> NodeState | None:
    """The node to try, or None if it is better to wait.

    ``states`` are those of ``demand.nodes``. ``turn`` counts the deployment's choices. While any
    node is healthy and has the service, only such nodes are tried, even if that means waiting for a
    slot. If there is none, nodes that failed recently are better than an error: they may be back.
    Hung nodes come last, as a request might wait there for long.
    """
    staying = [state for state in states if not state.draining]
    fit = [state for state in staying if state.is_healthy(now, demand.service)]
    fit = fit or [state for state in staying if state.is_healthy(now)]
    fit = fit or [state for state in staying if not state.hung] or staying
    usable = [state for state in fit if not state.is_full(now, demand.model)]
    if not usable:
        return None
    if demand.policy == "ordered":
        # Loading the model is preferred to passing on: the next node may be there for emergencies
        # only.
        return usable[0]
    if demand.unloaded:
        usable = [state for state in usable if state.name not in demand.unloaded] or usable
    if demand.policy == "round-robin":
        return usable[turn % len(usable)]
    if demand.policy == "prefix-affinity":
        return pick_by_affinity(demand.affinity_key, usable, fit)
    return min(usable, key=lambda state: ((state.load + 1) / state.weight, state.served))
