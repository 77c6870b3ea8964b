"""Makes a plan from a call, its body and the snapshot: one request for nodes, or a client fault.

Planning is complete before any node is asked; a request that no node could serve is refused here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from casedesk_proxy.catalog.lists import offered
from casedesk_proxy.catalog.names import resolve
from casedesk_proxy.dialects.core.addresses import refuse_addresses
from casedesk_proxy.dialects.core.bounds import check_bounds
from casedesk_proxy.dialects.core.contract import Answered
from casedesk_proxy.dialects.core.native import refuse_parts
from casedesk_proxy.dialects.responses.names import has_namespaces
from casedesk_proxy.errors import ClientFault, NotFound, Unsupported
from casedesk_proxy.planning.asked_counts import request_counts
from casedesk_proxy.planning.demand import follow_conversation, make_demand
from casedesk_proxy.planning.inference import (
    as_upload,
    keep_having,
    node_path,
    refuse_path,
    route_paths,
)
from casedesk_proxy.planning.namespaces import flatten_namespaces
from casedesk_proxy.planning.node_parameters import change_for_nodes
from casedesk_proxy.planning.restrictions import find_restrictions
from casedesk_proxy.planning.route import ModelPlacement, PlanInputs, Route
from casedesk_proxy.planning.selection import Native, choose_natives, is_plain, keep_able
from casedesk_proxy.planning.translation import Translation, translate_for
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.snapshot import DeploymentSpec, NodeSpec, Snapshot
from casedesk_proxy.surfaces.anthropic import require_version
from casedesk_proxy.surfaces.bodies import RequestBody, is_renamed, read_body, rename_model
from casedesk_proxy.surfaces.body_items import check_items
from casedesk_proxy.surfaces.forms import name_model, read_form
from casedesk_proxy.surfaces.parameter_changes import change_body
from casedesk_proxy.surfaces.unserved_paths import POSTED
from casedesk_proxy.terms import Action, Call, Dialect, Framing, RawHeaders, ResolvedModel, record
from casedesk_proxy.wire.headers import forward_request_headers

__all__ = ["Plan", "forwarded_headers", "plan_request"]

_PATHS = {
    Action.MESSAGES: "/v1/messages",
    Action.COUNT_MESSAGES: "/v1/messages/count_tokens",
    Action.CHAT: "/v1/chat/completions",
    Action.COMPLETE: "/v1/completions",
    Action.EMBEDDINGS: "/v1/embeddings",
    Action.RESPOND: "/v1/responses",
    Action.COUNT_RESPONSE: "/v1/responses/input_tokens",
} | {action: f"/{path}" for path, action in POSTED[Dialect.OLLAMA].items()}
_UNTRANSLATED = Translation()
#: Characters of a model name that Google's own clients do not encode in a path.
_MODEL_SAFE = "/:@!$&'()*+,;=-._~"


@record
class Plan:
    """A request that any of ``nodes`` can serve, each with its route.

    ``framing`` is the form of the reply for the client. ``answer`` is a reply that needs no node.
    ``dropped`` names what a translated request had to leave out. ``makes_kept``: its response
    should be kept, by a node that can.
    """

    deployment: DeploymentSpec
    asked: str
    model: str
    nodes: tuple[NodeSpec, ...]
    routes: Mapping[str, Route]
    framing: Framing
    demand: Demand
    answer: Answered | None = None
    dropped: tuple[str, ...] = ()
    makes_kept: bool = False
    upgrades: bool = False


def plan_request(snapshot: Snapshot, deployment: DeploymentSpec, inputs: PlanInputs) -> Plan:
    """The plan for one request. Raises a ClientFault if no node can serve it."""
    call = inputs.call
    if call.surface is Dialect.ANTHROPIC:
        require_version(inputs.headers)
    if inputs.form is None:
        check_items(inputs.raw, snapshot.body_items)
        body = read_body(call, inputs.raw, lambda: _offered(snapshot, deployment, inputs))
    else:
        body = read_form(inputs.form, lambda: _offered(snapshot, deployment, inputs))
    asked = call.model or body.model or ""
    remembered = inputs.placements.under(inputs.reported, inputs.nodes)
    placement = remembered.get(asked)
    if placement is None:
        placement = _recall_placement(snapshot, deployment, inputs, asked)
        remembered.remember(asked, placement)
    rules = placement.parameters
    if rules is not None and (change := rules.for_client(call, inputs.form)):
        inputs = inputs.with_body(change_body(change, inputs.raw, body.value))
    model, nodes, demand = placement.resolved.model, placement.natives, placement.demand
    translation = _UNTRANSLATED
    if not placement.plain:
        nodes, translation = _choose_nodes(snapshot, inputs, body, placement, deployment)
        if demand.nodes != tuple(node.name for node in nodes):
            demand = make_demand(inputs, deployment, placement.resolved, nodes)
    if not (translation.routes or deployment.config.nodes_fetch_urls):
        refuse_addresses(call, body.value, inputs.raw if inputs.form is None else b"")
    routes: Mapping[str, Route] = translation.routes
    if not routes:
        routes = _native_routes(inputs, body, placement, nodes)
        if body.stream and deployment.asks_usage:
            routes = request_counts(inputs, body, nodes, routes)
    if placement.has_changes:
        routes = change_for_nodes(call, nodes, routes)
    if demand.policy == "prefix-affinity":
        demand = follow_conversation(demand, deployment, inputs, body)
    makes_kept = call.action is Action.RESPOND and body.value.get("store") is not False
    return Plan(
        deployment, asked, model, nodes, routes, _framing(call, stream=body.stream), demand,
        translation.answer, translation.dropped, makes_kept,
    )  # fmt: skip


def _offered(snapshot: Snapshot, deployment: DeploymentSpec, inputs: PlanInputs) -> tuple[str, ...]:
    """The models of the deployment. Raises NotFound while no node has listed any."""
    rules = deployment.rules
    if inputs.call.path:
        # Leave out models that only nodes without this path have.
        rules = keep_having(rules, inputs.call, lambda name: _find_node(snapshot, inputs, name))
    names = offered(rules, inputs.reported)
    if not names and not inputs.reported:
        raise NotFound("model: a string is required, since no node has listed its models yet")
    return names


def _choose_nodes(
    snapshot: Snapshot,
    inputs: PlanInputs,
    body: RequestBody,
    placement: ModelPlacement,
    deployment: DeploymentSpec,
) -> tuple[tuple[NodeSpec, ...], Translation]:
    """The nodes that get the request, and its translation for them. The translation is empty if
    they get the request unchanged."""
    placement = keep_able(inputs, body.value, placement)
    native = choose_natives(inputs, body.value, placement)
    if native.nodes:
        return native.nodes, _UNTRANSLATED
    translation = _translate(snapshot, inputs, body, placement, native, deployment)
    nodes = tuple(node for node in placement.holders if node.name in translation.routes)
    return nodes or native.unsure, translation


def _translate(
    snapshot: Snapshot,
    inputs: PlanInputs,
    body: RequestBody,
    placement: ModelPlacement,
    native: Native,
    deployment: DeploymentSpec,
) -> Translation:
    """The translation; empty if nodes of the client's own protocol get the request after all."""
    try:
        check_bounds(inputs.call.surface, body.value, snapshot.body_items)
        made = translate_for(inputs, body.value, placement.resolved, placement.holders, deployment)
    except ClientFault:
        if native.unsure:
            return _UNTRANSLATED
        raise
    if made.routes or made.answer is not None or native.unsure:
        return made
    if native.lost:
        raise refuse_parts(native.engine, native.lost)
    raise _unsupported(inputs.call, placement.resolved, placement.holders)


def _recall_placement(
    snapshot: Snapshot, deployment: DeploymentSpec, inputs: PlanInputs, asked: str
) -> ModelPlacement:
    """An earlier request's placement, if there is one, else a new one. Raises NotFound."""
    call = inputs.call
    if call.path or deployment.key_parameters is not None:
        return _find_placement(snapshot, deployment, inputs, asked)
    shared = inputs.shared_placements.under(snapshot, inputs.reported, inputs.nodes)
    key = deployment.name, deployment.rules.only, call.surface, call.action, asked
    if (placement := shared.get(key)) is None:
        placement = _find_placement(snapshot, deployment, inputs, asked)
        shared.remember(key, placement)
    return replace(placement, head_templates={})


def _find_placement(
    snapshot: Snapshot, deployment: DeploymentSpec, inputs: PlanInputs, asked: str
) -> ModelPlacement:
    """Which nodes have the model, and what it supports there. Raises NotFound."""
    call, resolved = inputs.call, resolve(asked, deployment.rules, inputs.reported)
    holders = tuple(_find_node(snapshot, inputs, name) for name in resolved.nodes)
    parameters = deployment.find_parameters(resolved.alias)
    if call.path:
        having = tuple(node for node in holders if node_path(call, node))
        if not having:
            raise refuse_path(call, resolved, holders)
        demand = make_demand(inputs, deployment, resolved, having)
        return ModelPlacement(
            resolved, holders, having, demand, plain=True, parameters=parameters,
            has_changes=inputs.form is None and _have_changes(having),
        )  # fmt: skip
    natives = tuple(node for node in holders if call.surface in node.speaks)
    demand = make_demand(inputs, deployment, resolved, natives)
    lacks = {node.name: find_restrictions(inputs, resolved.model, node).lacks for node in holders}
    plain = bool(natives) and not any(lacks.values()) and is_plain(inputs, natives)
    return ModelPlacement(
        resolved, holders, natives, demand, lacks, plain, parameters=parameters,
        refuses_tools=deployment.refuse_tools, has_changes=_have_changes(holders),
    )  # fmt: skip


def _have_changes(nodes: Iterable[NodeSpec]) -> bool:
    return any(node.parameters is not None for node in nodes)


def _find_node(snapshot: Snapshot, inputs: PlanInputs, name: str) -> NodeSpec:
    """The node with its detected engine and protocols, if any; else as it is configured."""
    return inputs.nodes.get(name) or snapshot.nodes[name]


def _native_routes(
    inputs: PlanInputs, body: RequestBody, placement: ModelPlacement, nodes: Sequence[NodeSpec]
) -> dict[str, Route]:
    """Nodes that speak the client's own protocol get the client's own request."""
    call, raw, resolved = inputs.call, inputs.raw, placement.resolved
    if (
        resolved.model != resolved.asked
        or inputs.form is not None
        or is_renamed(call, raw, body.value, resolved.model)
    ):
        raw = _name_model(inputs, body, resolved.model)
    translator = None
    if call.surface is Dialect.RESPONSES and has_namespaces(body.value):
        raw, translator = flatten_namespaces(raw, body, resolved.asked)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    target = ""
    if placement.plain:
        unknown = len(placement.head_templates) < len(nodes)
    else:
        unknown = any(node.name not in placement.head_templates for node in nodes)
    if unknown:
        target, headers = _node_target(call, resolved.model), forwarded_headers(inputs.headers)
    route = Route(
        call.surface, target, headers, inputs.request_id, raw, translator, placement.head_templates
    )
    if call.path:
        return route_paths(as_upload(route, inputs, placement.parameters), call, nodes)
    return {node.name: route for node in nodes}


def _name_model(inputs: PlanInputs, body: RequestBody, model: str) -> bytes:
    """The body with the node's name of the model, whether it had another name or none."""
    may_add = not inputs.call.names_no_model
    if inputs.form is not None:
        return name_model(inputs.raw, inputs.form, model, may_add=may_add)
    if may_add or "model" in body.value:
        return rename_model(inputs.call, inputs.raw, body.value, model)
    return inputs.raw


def _unsupported(call: Call, resolved: ResolvedModel, holders: Sequence[NodeSpec]) -> Unsupported:
    spoken = sorted({str(dialect) for node in holders for dialect in node.speaks})
    other = "OpenAI's API" if call.surface is Dialect.OLLAMA else "one of these, or another model"
    return Unsupported(
        f"unsupported_dialect: no node with the model {resolved.asked!r} speaks {call.surface};"
        f" they speak {', '.join(spoken) or 'nothing known yet'}; use {other}",
        code="unsupported_dialect",
    )


def _framing(call: Call, *, stream: bool) -> Framing:
    if call.surface is Dialect.GEMINI or not stream:
        return call.framing
    return Framing.LINES if call.surface is Dialect.OLLAMA else Framing.SSE


def _node_target(call: Call, model: str) -> str:
    """Path and query at the node."""
    path = call.path or _PATHS.get(call.action)
    if path is None:
        name = model if model.startswith("tunedModels/") else f"models/{model}"
        path = f"/{call.version}/{quote(name, safe=_MODEL_SAFE)}:{call.action}"
    return f"{path}?{call.query}" if call.query else path


def forwarded_headers(headers: RawHeaders) -> tuple[tuple[bytes, bytes], ...]:
    """The headers for the node, without the client's request id: an acceptable id becomes the
    exchange's, and is sent as such."""
    forwarded = forward_request_headers(headers)
    return tuple(pair for pair in forwarded if pair[0].lower() != b"x-request-id")
