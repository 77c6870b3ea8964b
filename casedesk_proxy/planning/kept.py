"""Requests about a kept response: they go to its keeper, or are not found.

The proxy knows which node made it, see `pools.response_memory`. No node keeps a translated
response.
"""

from __future__ import annotations

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.planning.plan import Plan, forwarded_headers
from casedesk_proxy.planning.route import PlanInputs, Route
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.pools.response_memory import Keeper
from casedesk_proxy.replying.namespaces import NameRestorer, NamespacedBody, NamespacedStream
from casedesk_proxy.snapshot import DeploymentSpec, NodeSpec, Snapshot
from casedesk_proxy.surfaces.kept_responses import METHODS, no_kept, path_of
from casedesk_proxy.terms import Action, Call, Framing

__all__ = ["plan_at_keeper", "plan_kept", "route_to_keeper"]

#: Actions whose reply is the response itself.
_TELLING = frozenset({Action.GET_RESPONSE, Action.CANCEL_RESPONSE})


def plan_kept(snapshot: Snapshot, deployment: DeploymentSpec, inputs: PlanInputs) -> Plan:
    """For a call that names a response. Raises NotFound in OpenAI's words."""
    call = inputs.call
    keeper = inputs.find_keeper(call.kept)
    if keeper is None or keeper.node not in deployment.rules.nodes:
        raise no_kept(call.kept)
    node = inputs.nodes.get(keeper.node) or snapshot.nodes[keeper.node]
    if not node.engine.profile.responses.by_id:
        raise no_kept(call.kept)
    translator = None
    if isinstance(keeper.names, NameRestorer) and call.action in _TELLING:
        make = NamespacedStream if call.framing is Framing.SSE else NamespacedBody
        translator = make(keeper.asked, keeper.names)
    route = route_to_keeper(
        inputs, path_of(call.action, call.kept), method=METHODS[call.action], translator=translator
    )
    return plan_at_keeper(deployment, call, keeper, node, route)


def route_to_keeper(
    inputs: PlanInputs,
    path: str,
    body: bytes = b"",
    *,
    method: str = "POST",
    translator: Translator | None = None,
) -> Route:
    """The client's own request for ``path`` at one node. ``translator``: see Route."""
    call = inputs.call
    return Route(
        dialect=call.surface,
        target=f"{path}?{call.query}" if call.query else path,
        headers=forwarded_headers(inputs.headers),
        request_id=inputs.request_id,
        body=body,
        method=method,
        translator=translator,
    )


def plan_at_keeper(
    deployment: DeploymentSpec, call: Call, keeper: Keeper, node: NodeSpec, route: Route
) -> Plan:
    """A plan for that node and no other."""
    demand = Demand(
        deployment.policy, (node.name,), model=keeper.model, action=call.action.value, is_about=True
    )
    return Plan(
        deployment=deployment,
        asked=keeper.asked,
        model=keeper.model,
        nodes=(node,),
        routes={node.name: route},
        framing=call.framing,
        demand=demand,
    )
