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
from casedesk_proxy.planning.asked_counts import ask_nodes
from casedesk_proxy.planning.conversation_key import beginning, spread
from casedesk_proxy.planning.demand import make_demand
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
from casedesk_proxy.planning.route import ModelPlacement, PlanInput, Route
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
from casedesk_proxy.terms import Action, Call, Dialect, Framing, RawHeaders, Target, record
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


def plan_request(snapshot: Snapshot, deployment: DeploymentSpec, ask: PlanInput) -> Plan:
    """The plan for ``ask``. Raises a ClientFault if no node can serve it."""
    call = ask.call
    if call.surface is Dialect.ANTHROPIC:
        require_version(ask.headers)
    if ask.form is None:
        check_items(ask.raw, snapshot.body_items)
        body = read_body(call, ask.raw, lambda: _offered(snapshot, deployment, ask))
    else:
        body = read_form(ask.form, lambda: _offered(snapshot, deployment, ask))
    asked = call.model or body.model or ""
    known = ask.placements.under(ask.reported, ask.nodes)
    place = known.get(asked)
    if place is None:
        place = _recall_placement(snapshot, deployment, ask, asked)
        known.remember(asked, place)
    if place.parameters is not None and (change := place.parameters.for_client(call, ask.form)):
        ask = ask.with_body(change_body(change, ask.raw, body.value))
    target, nodes, demand, made = place.target, place.natives, place.demand, _UNTRANSLATED
    if not place.plain:
        nodes, made = _judge(snapshot, ask, body, place, deployment)
        if demand.nodes != tuple(node.name for node in nodes):
            demand = make_demand(ask, deployment, target, nodes)
    if not (made.routes or deployment.config.nodes_fetch_urls):
        refuse_addresses(call, body.value)
    routes: Mapping[str, Route] = made.routes or _native_routes(ask, body, place, nodes)
    if body.stream and deployment.asks_usage and not made.routes:
        routes = ask_nodes(ask, body, nodes, routes)
    if place.has_changes:
        routes = change_for_nodes(call, nodes, routes)
    if demand.policy == "prefix-affinity":
        who = f"{deployment.name}\0{target.model}\0".encode("utf-8", "surrogatepass")
        if call.path:
            key = spread(ask.raw, ask.marked)
        else:
            key = beginning(call.surface, body.value, ask.marked)
        demand = replace(demand, affinity_key=who + key)
    makes_kept = call.action is Action.RESPOND and body.value.get("store") is not False
    return Plan(
        deployment, asked, target.model, nodes, routes, _framing(call, stream=body.stream), demand,
        made.answer, made.dropped, makes_kept,
    )  # fmt: skip


def _offered(snapshot: Snapshot, deployment: DeploymentSpec, ask: PlanInput) -> tuple[str, ...]:
    """The models of the deployment. Raises NotFound while no node has listed any."""
    rules = deployment.rules
    if ask.call.path:
        # Leave out models that only nodes without this path have.
        rules = keep_having(rules, ask.call, lambda name: _find_node(snapshot, ask, name))
    names = offered(rules, ask.reported)
    if not names and not ask.reported:
        raise NotFound("model: a string is required, since no node has listed its models yet")
    return names


def _judge(
    snapshot: Snapshot,
    ask: PlanInput,
    body: RequestBody,
    place: ModelPlacement,
    deployment: DeploymentSpec,
) -> tuple[tuple[NodeSpec, ...], Translation]:
    """The nodes that get the request, and its translation for them. The translation is empty if
    they get the request unchanged."""
    place = keep_able(ask, body.value, place)
    native = choose_natives(ask, body.value, place)
    if native.nodes:
        return native.nodes, _UNTRANSLATED
    made = _translate(snapshot, ask, body, place, native, deployment)
    nodes = tuple(node for node in place.holders if node.name in made.routes)
    return nodes or native.unsure, made


def _translate(
    snapshot: Snapshot,
    ask: PlanInput,
    body: RequestBody,
    place: ModelPlacement,
    native: Native,
    deployment: DeploymentSpec,
) -> Translation:
    """The translation; empty if nodes of the client's own protocol get the request after all."""
    try:
        check_bounds(ask.call.surface, body.value, snapshot.body_items)
        made = translate_for(ask, body.value, place.target, place.holders, deployment)
    except ClientFault:
        if native.unsure:
            return _UNTRANSLATED
        raise
    if made.routes or made.answer is not None or native.unsure:
        return made
    if native.lost:
        raise refuse_parts(native.engine, native.lost)
    raise _unsupported(ask.call, place.target, place.holders)


def _recall_placement(
    snapshot: Snapshot, deployment: DeploymentSpec, ask: PlanInput, asked: str
) -> ModelPlacement:
    """An earlier request's placement, if there is one, else a new one. Raises NotFound."""
    call = ask.call
    if call.path or deployment.key_parameters is not None:
        return _find_placement(snapshot, deployment, ask, asked)
    known = ask.places.under(snapshot, ask.reported, ask.nodes)
    key = deployment.name, deployment.rules.only, call.surface, call.action, asked
    if (place := known.get(key)) is None:
        place = _find_placement(snapshot, deployment, ask, asked)
        known.remember(key, place)
    return replace(place, head_templates={})


def _find_placement(
    snapshot: Snapshot, deployment: DeploymentSpec, ask: PlanInput, asked: str
) -> ModelPlacement:
    """Which nodes have the model, and what it supports there. Raises NotFound."""
    target = resolve(asked, deployment.rules, ask.reported)
    holders = tuple(_find_node(snapshot, ask, name) for name in target.nodes)
    parameters = deployment.find_parameters(target.alias)
    if ask.call.path:
        having = tuple(node for node in holders if node_path(ask.call, node))
        if not having:
            raise refuse_path(ask.call, target, holders)
        demand = make_demand(ask, deployment, target, having)
        return ModelPlacement(
            target, holders, having, demand, plain=True, parameters=parameters,
            has_changes=ask.form is None and _have_changes(having),
        )  # fmt: skip
    natives = tuple(node for node in holders if ask.call.surface in node.speaks)
    demand = make_demand(ask, deployment, target, natives)
    lacks = {node.name: find_restrictions(ask, target.model, node).lacks for node in holders}
    plain = bool(natives) and not any(lacks.values()) and is_plain(ask, natives)
    return ModelPlacement(
        target, holders, natives, demand, lacks, plain, parameters=parameters,
        refuses_tools=deployment.refuse_tools, has_changes=_have_changes(holders),
    )  # fmt: skip


def _have_changes(nodes: Iterable[NodeSpec]) -> bool:
    return any(node.parameters is not None for node in nodes)


def _find_node(snapshot: Snapshot, ask: PlanInput, name: str) -> NodeSpec:
    """The node with its detected engine and protocols, if any; else as it is configured."""
    return ask.nodes.get(name) or snapshot.nodes[name]


def _native_routes(
    ask: PlanInput, body: RequestBody, place: ModelPlacement, nodes: Sequence[NodeSpec]
) -> dict[str, Route]:
    """Nodes that speak the client's own protocol get the client's own request."""
    raw, target = ask.raw, place.target
    if (
        target.model != target.asked
        or ask.form is not None
        or is_renamed(ask.call, body.value, target.model)
    ):
        raw = _name(ask, body, target)
    translator = None
    if ask.call.surface is Dialect.RESPONSES and has_namespaces(body.value):
        raw, translator = flatten_namespaces(raw, body, target.asked)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    path = ""
    if place.plain:
        unknown = len(place.head_templates) < len(nodes)
    else:
        unknown = any(node.name not in place.head_templates for node in nodes)
    if unknown:
        path, headers = _target(ask.call, target.model), forwarded_headers(ask.headers)
    route = Route(
        ask.call.surface, path, headers, ask.request_id, raw, translator, place.head_templates
    )
    if ask.call.path:
        return route_paths(as_upload(route, ask, place.parameters), ask.call, nodes)
    return {node.name: route for node in nodes}


def _name(ask: PlanInput, body: RequestBody, target: Target) -> bytes:
    """The body with the name of the node's model, whether it had another name or none."""
    may_add = not ask.call.names_no_model
    if ask.form is not None:
        return name_model(ask.raw, ask.form, target.model, may_add=may_add)
    if may_add or "model" in body.value:
        return rename_model(ask.call, ask.raw, body.value, target.model)
    return ask.raw


def _unsupported(call: Call, target: Target, holders: Sequence[NodeSpec]) -> Unsupported:
    spoken = sorted({str(dialect) for node in holders for dialect in node.speaks})
    other = "OpenAI's API" if call.surface is Dialect.OLLAMA else "one of these, or another model"
    return Unsupported(
        f"unsupported_dialect: no node with the model {target.asked!r} speaks {call.surface};"
        f" they speak {', '.join(spoken) or 'nothing known yet'}; use {other}",
        code="unsupported_dialect",
    )


def _framing(call: Call, *, stream: bool) -> Framing:
    if call.surface is Dialect.GEMINI or not stream:
        return call.framing
    return Framing.LINES if call.surface is Dialect.OLLAMA else Framing.SSE


def _target(call: Call, model: str) -> str:
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
