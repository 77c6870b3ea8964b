"""What a request needs of a node, by which a policy chooses one."""

from __future__ import annotations

from collections.abc import Sequence

from casedesk_proxy.catalog.index import by_name
from casedesk_proxy.planning.route import PlanInput
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.snapshot import DeploymentSpec, NodeSpec
from casedesk_proxy.terms import Target

__all__ = ["make_demand"]


def make_demand(
    ask: PlanInput, deployment: DeploymentSpec, target: Target, nodes: Sequence[NodeSpec]
) -> Demand:
    """The demand, without a conversation's key."""
    names = tuple(node.name for node in nodes)
    unloaded, action = _unloaded(ask, target, names), ask.call.action.value
    return Demand(deployment.policy, names, unloaded, b"", target.model, action)


def _unloaded(ask: PlanInput, target: Target, names: Sequence[str]) -> frozenset[str]:
    """The nodes that report that the model is not loaded."""
    return frozenset(
        name
        for name in names
        if (model := by_name(ask.reported.get(name, ())).get(target.model)) is not None
        and model.loaded is False
    )
