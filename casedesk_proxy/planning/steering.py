"""Requests that steer a running chat, such as llama-server's end of thinking: they go to the node
that runs it, found by the id in its stream. They need no slot, since the chat has one."""

from __future__ import annotations

from casedesk_proxy.errors import BadRequest, NotFound, Violation
from casedesk_proxy.planning.inference import node_path
from casedesk_proxy.planning.kept import plan_at_keeper, route_to_keeper
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.planning.route import PlanInputs
from casedesk_proxy.snapshot import DeploymentSpec, Snapshot
from casedesk_proxy.surfaces.bodies import is_renamed, parse_body, rename_model

__all__ = ["plan_steering"]


def plan_steering(snapshot: Snapshot, deployment: DeploymentSpec, inputs: PlanInputs) -> Plan:
    """``inputs.find_keeper`` returns the node that runs the chat with an id. Raises BadRequest or
    NotFound."""
    call = inputs.call
    value = parse_body(inputs.raw)
    ident = value.get("id")
    if not isinstance(ident, str) or not ident:
        raise BadRequest.about("id", "the chat's id, from its stream, is required")
    keeper = inputs.find_keeper(ident)
    if keeper is None:
        raise NotFound(
            "id: you have no running chat with this id; use that of a running chat",
            code="chat_not_found",
            violations=(Violation("id", "no running chat of yours has it"),),
        )
    node = inputs.nodes.get(keeper.node) or snapshot.nodes[keeper.node]
    raw = inputs.raw
    if "model" in value and is_renamed(call, raw, value, keeper.model):
        raw = rename_model(call, raw, value, keeper.model)
    route = route_to_keeper(inputs, node_path(call, node), raw)
    return plan_at_keeper(deployment, call, keeper, node, route)
