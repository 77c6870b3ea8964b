"""What to ask of a node: a call, its body and the snapshot become one request, or a client fault.

Planning is complete before any node is called; what no node could serve is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from casedesk_proxy.catalog.names import resolve
from casedesk_proxy.dialects.base import Translator
from casedesk_proxy.errors import Unsupported
from casedesk_proxy.exchange.snapshot import DeploymentSpec, NodeSpec, Snapshot
from casedesk_proxy.surfaces.anthropic import require_version
from casedesk_proxy.surfaces.bodies import Body, read_body, rename_model
from casedesk_proxy.terms import Action, Call, Dialect, Framing, ModelInfo, RawHeaders, Target
from casedesk_proxy.wire.headers import forward_request_headers, node_credential
from casedesk_proxy.wire.http1 import request_head

__all__ = ["Ask", "Plan", "Route", "plan_request"]

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
class Ask:
    """One request to be planned. ``reported``: the models of each node that told its list."""

    call: Call
    headers: RawHeaders
    raw: bytes
    request_id: str
    reported: Mapping[str, tuple[ModelInfo, ...]]


@dataclass(frozen=True, slots=True)
class Route:
    """How some nodes are asked: in which dialect, for what. ``target`` has the query, but not a
    node's base. ``translator`` makes the reply the client's, with ``reply_headers``; None: the
    node's reply is the client's already."""

    dialect: Dialect
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    translator: Translator | None = None
    reply_headers: tuple[tuple[str, str], ...] = ()

    def request_for(self, node: NodeSpec) -> bytes:
        """The whole request as it goes to one node: its own Host, its own key."""
        headers = [(b"Host", node.host_header), *self.headers]
        if node.key is not None:
            headers.append(node_credential(self.dialect, node.key))
        headers.append((b"Accept-Encoding", b"identity"))
        headers.append((b"Content-Length", b"%d" % len(self.body)))
        return request_head("POST", node.base + self.target, headers) + self.body


@dataclass(frozen=True, slots=True)
class Plan:
    """A request that any of ``nodes`` can take, each by its route.

    ``framing`` is how the client wants its reply.
    """

    deployment: DeploymentSpec
    asked: str
    model: str
    nodes: tuple[NodeSpec, ...]
    routes: Mapping[str, Route]
    framing: Framing


def plan_request(snapshot: Snapshot, deployment: DeploymentSpec, ask: Ask) -> Plan:
    """Raises a ClientFault."""
    call = ask.call
    if call.surface is Dialect.ANTHROPIC:
        require_version(ask.headers)
    body = read_body(call, ask.raw)
    asked = call.model or body.model or ""
    target = resolve(asked, deployment.rules, ask.reported)
    holders = [snapshot.nodes[name] for name in target.nodes]
    routes = _native_routes(ask, body, target, holders)
    if not routes:
        raise _unsupported(call, target, holders)
    return Plan(
        deployment=deployment,
        asked=asked,
        model=target.model,
        nodes=tuple(node for node in holders if node.name in routes),
        routes=routes,
        framing=_framing(call, stream=body.stream),
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
