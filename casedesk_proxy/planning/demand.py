"""What a request needs of a node, by which a policy chooses one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from casedesk_proxy.catalog.index import by_name
from casedesk_proxy.planning.conversation_key import conversation_key, request_key
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.snapshot import DeploymentSpec, NodeSpec
from casedesk_proxy.surfaces.bodies import RequestBody
from casedesk_proxy.terms import ResolvedModel

__all__ = ["follow_conversation", "make_demand"]


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


def follow_conversation(
    demand: Demand, deployment: DeploymentSpec, inputs: PlanInputs, body: RequestBody
) -> Demand:
    """The demand with the key by which a conversation finds its node again."""
    call = inputs.call
    if call.path:
        key = request_key(inputs.raw, inputs.marked)
    else:
        key = conversation_key(call.surface, body.value, inputs.marked)
    whose = f"{deployment.name}\0{demand.model}\0".encode("utf-8", "surrogatepass")
    return replace(demand, affinity_key=whose + key)


def _unloaded(inputs: PlanInputs, resolved: ResolvedModel, names: Sequence[str]) -> frozenset[str]:
    """The nodes that report that the model is not loaded."""
    return frozenset(
        name
        for name in names
        if (model := by_name(inputs.reported.get(name, ())).get(resolved.model)) is not None
        and model.loaded is False
    )
