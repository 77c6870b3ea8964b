"""What a request needs of a node, by which a policy chooses one."""

from __future__ import annotations

from collections.abc import Sequence

from casedesk_proxy.catalog.index import by_name
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.snapshot import DeploymentSpec, NodeSpec
from casedesk_proxy.terms import ResolvedModel

__all__ = ["make_demand"]


def make_demand(
    inputs: PlanInputs,
    deployment: DeploymentSpec,
    resolved: ResolvedModel,
    nodes: Sequence[NodeSpec],
) -> Demand:
    """The demand, without a conversation's key."""
    names = tuple(node.name for node in nodes)
    unloaded, action = _unloaded(inputs, resolved, names), inputs.call.action.value
    return Demand(deployment.policy, names, unloaded, b"", resolved.model, action)


def _unloaded(inputs: PlanInputs, resolved: ResolvedModel, names: Sequence[str]) -> frozenset[str]:
    """The nodes that report that the model is not loaded."""
    return frozenset(
        name
        for name in names
        if (model := by_name(inputs.reported.get(name, ())).get(resolved.model)) is not None
        and model.loaded is False
    )
