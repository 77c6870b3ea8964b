"""What to ask of a node: a call, its body and the snapshot become one request, or a client fault.

Planning is complete before any node is called; what a node could not serve is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from casedesk_proxy.catalog.names import resolve
from casedesk_proxy.errors import Unsupported
from casedesk_proxy.exchange.snapshot import DeploymentSpec, NodeSpec, Snapshot
from casedesk_proxy.surfaces.anthropic import require_version
from casedesk_proxy.surfaces.bodies import read_body, rename_model
from casedesk_proxy.terms import Action, Call, Dialect, Framing, ModelInfo, RawHeaders
from casedesk_proxy.wire.headers import forward_request_headers, node_credential
from casedesk_proxy.wire.http1 import request_head

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
    """A request that any of ``nodes`` can take. ``target`` has the query, without a node's base.

    ``dialect`` is what the nodes are spoken to in; ``framing`` how the client wants its reply.
    """

    deployment: DeploymentSpec
    asked: str
    model: str
    nodes: tuple[NodeSpec, ...]
    dialect: Dialect
    framing: Framing
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def request_for(self, node: NodeSpec) -> bytes:
        """The whole request as it goes to one node: its own Host, its own key."""
        headers = [(b"Host", node.host_header), *self.headers]
        if node.key is not None:
            headers.append(node_credential(self.dialect, node.key))
        headers.append((b"Accept-Encoding", b"identity"))
        headers.append((b"Content-Length", b"%d" % len(self.body)))
        return request_head("POST", node.base + self.target, headers) + self.body


def plan_request(
    snapshot: Snapshot,
    deployment: DeploymentSpec,
    call: Call,
    headers: RawHeaders,
    raw: bytes,
    reported: Mapping[str, tuple[ModelInfo, ...]],
    request_id: str,
) -> Plan:
    """Raises a ClientFault. ``reported``: the models of each node that has told its list."""
    if call.surface is Dialect.ANTHROPIC:
        require_version(headers)
    body = read_body(call, raw)
    asked = call.model or body.model or ""
    target = resolve(asked, deployment.rules, reported)
    nodes = _speakers(call, [snapshot.nodes[name] for name in target.nodes], target.asked)
    if target.model != asked:
        raw = rename_model(call, raw, body.value, target.model)
    return Plan(
        deployment=deployment,
        asked=asked,
        model=target.model,
        nodes=nodes,
        dialect=call.surface,
        framing=_framing(call, body.stream),
        target=_target(call, target.model),
        headers=_headers(headers, request_id),
        body=raw,
    )


def _speakers(call: Call, nodes: Sequence[NodeSpec], asked: str) -> tuple[NodeSpec, ...]:
    """The nodes that speak the client's own protocol."""
    speakers = tuple(node for node in nodes if call.surface in node.speaks)
    if not speakers:
        spoken = sorted({dialect for node in nodes for dialect in node.speaks})
        raise Unsupported(
            f"unsupported_dialect: no node that has {asked!r} speaks {call.surface}; "
            f"they speak {', '.join(spoken) or 'nothing known yet'}",
            code="unsupported_dialect",
        )
    return speakers


def _framing(call: Call, stream: bool) -> Framing:
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
