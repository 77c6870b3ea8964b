"""What to ask of a node: a call, its body and the snapshot become one request, or a client fault.

Planning is complete before any node is called; what no node could serve is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from casedesk_proxy.catalog.names import resolve
from casedesk_proxy.dialects.base import Answered
from casedesk_proxy.errors import Unsupported
from casedesk_proxy.exchange.conversation import beginning
from casedesk_proxy.exchange.route import Ask, Route
from casedesk_proxy.exchange.snapshot import DeploymentSpec, NodeSpec, Snapshot
from casedesk_proxy.exchange.transposing import Transposition, transpose_for
from casedesk_proxy.pools.choose import Wish
from casedesk_proxy.surfaces.anthropic import require_version
from casedesk_proxy.surfaces.bodies import Body, read_body, rename_model
from casedesk_proxy.terms import Action, Call, Dialect, Framing, RawHeaders, Target
from casedesk_proxy.wire.headers import forward_request_headers

__all__ = ["Plan", "plan_request"]

_PATHS = {
    Action.MESSAGES: "/v1/messages",
    Action.COUNT_MESSAGES: "/v1/messages/count_tokens",
    Action.CHAT: "/v1/chat/completions",
    Action.COMPLETE: "/v1/completions",
    Action.EMBEDDINGS: "/v1/embeddings",
}
#: Characters of a model name that Google's own clients leave as they are in a path.
_MODEL_SAFE = "/:@!$&'()*+,;=-._~"


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that any of ``nodes`` can take, each by its route.

    ``framing`` is how the client wants its reply. ``answer`` is one that needs no node.
    ``dropped`` names what a transposed request had to leave out.
    """

    deployment: DeploymentSpec
    asked: str
    model: str
    nodes: tuple[NodeSpec, ...]
    routes: Mapping[str, Route]
    framing: Framing
    wish: Wish
    answer: Answered | None = None
    dropped: tuple[str, ...] = ()


def plan_request(snapshot: Snapshot, deployment: DeploymentSpec, ask: Ask) -> Plan:
    """Raises a ClientFault."""
    call = ask.call
    if call.surface is Dialect.ANTHROPIC:
        require_version(ask.headers)
    body = read_body(call, ask.raw)
    asked = call.model or body.model or ""
    target = resolve(asked, deployment.rules, ask.reported)
    holders = [ask.nodes.get(name) or snapshot.nodes[name] for name in target.nodes]
    made = Transposition(_native_routes(ask, body, target, holders))
    if not made.routes:
        made = transpose_for(ask, body.value, target, holders, deployment)
    if not made.routes and made.answer is None:
        raise _unsupported(call, target, holders)
    nodes = tuple(node for node in holders if node.name in made.routes)
    return Plan(
        deployment=deployment,
        asked=asked,
        model=target.model,
        nodes=nodes,
        routes=made.routes,
        framing=_framing(call, stream=body.stream),
        wish=_wish(ask, deployment, body, target, nodes),
        answer=made.answer,
        dropped=made.dropped,
    )


def _native_routes(
    ask: Ask, body: Body, target: Target, holders: Sequence[NodeSpec]
) -> dict[str, Route]:
    """The nodes that speak the client's own protocol get the client's own request."""
    raw = ask.raw
    if target.model != target.asked:
        raw = rename_model(ask.call, raw, body.value, target.model)
    route = Route(
        dialect=ask.call.surface,
        target=_target(ask.call, target.model),
        headers=_headers(ask.headers, ask.request_id),
        body=raw,
    )
    return {node.name: route for node in holders if ask.call.surface in node.speaks}


def _wish(
    ask: Ask, deployment: DeploymentSpec, body: Body, target: Target, nodes: Sequence[NodeSpec]
) -> Wish:
    key = b""
    if deployment.policy == "prefix-affinity":
        who = f"{deployment.name}\0{target.model}\0".encode("utf-8", "surrogatepass")
        key = who + beginning(ask.call.surface, body.value)
    names = tuple(node.name for node in nodes)
    return Wish(deployment.policy, names, _cold(ask, target, names), key, target.model)


def _cold(ask: Ask, target: Target, names: Sequence[str]) -> frozenset[str]:
    """The nodes that say that the model is not loaded there now."""
    return frozenset(
        name
        for name in names
        for model in ask.reported.get(name, ())
        if model.loaded is False and model.name == target.model
    )


def _unsupported(call: Call, target: Target, holders: Sequence[NodeSpec]) -> Unsupported:
    spoken = sorted({str(dialect) for node in holders for dialect in node.speaks})
    return Unsupported(
        f"unsupported_dialect: no node that has {target.asked!r} speaks {call.surface}; "
        f"they speak {', '.join(spoken) or 'nothing known yet'}",
        code="unsupported_dialect",
    )


def _framing(call: Call, *, stream: bool) -> Framing:
    return Framing.SSE if stream and call.surface is not Dialect.GEMINI else call.framing


def _target(call: Call, model: str) -> str:
    path = _PATHS.get(call.action)
    if path is None:
        name = model if model.startswith("tunedModels/") else f"models/{model}"
        path = f"/{call.version}/{quote(name, safe=_MODEL_SAFE)}:{call.action}"
    return f"{path}?{call.query}" if call.query else path


def _headers(headers: RawHeaders, request_id: str) -> tuple[tuple[bytes, bytes], ...]:
    forwarded = [
        pair for pair in forward_request_headers(headers) if pair[0].lower() != b"x-request-id"
    ]
    return (*forwarded, (b"x-request-id", request_id.encode("ascii")))
