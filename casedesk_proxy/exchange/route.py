"""How a node is asked: the request as it goes out, and what makes its reply the client's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from casedesk_proxy.dialects.base import Question, Translator
from casedesk_proxy.exchange.snapshot import NodeSpec
from casedesk_proxy.terms import Call, Dialect, ModelInfo, RawHeaders
from casedesk_proxy.wire.headers import node_credential
from casedesk_proxy.wire.http1 import request_head

__all__ = ["Ask", "Route"]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to be planned. ``reported``: the models of each node that told its list;
    ``nodes``: those that were recognised by asking them, as what they really are."""

    call: Call
    headers: RawHeaders
    raw: bytes
    request_id: str
    reported: Mapping[str, tuple[ModelInfo, ...]]
    nodes: Mapping[str, NodeSpec] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """How some nodes are asked: in which dialect, for what. ``target`` has the query, but not a
    node's base. ``translator`` makes the reply the client's, with ``reply_headers``; None: the
    node's reply is the client's already. ``question`` is asked beside it."""

    dialect: Dialect
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    translator: Translator | None = None
    reply_headers: tuple[tuple[str, str], ...] = ()
    question: Question | None = None

    def question_for(self, node: NodeSpec) -> bytes:
        """The question as a whole request."""
        assert self.question is not None
        return replace(self, target=self.question.path, body=self.question.body).request_for(node)

    def request_for(self, node: NodeSpec) -> bytes:
        """The whole request as it goes to one node: its own Host, its own key."""
        headers = [(b"Host", node.host_header), *self.headers]
        if node.key is not None:
            headers.append(node_credential(self.dialect, node.key))
        headers.append((b"Accept-Encoding", b"identity"))
        headers.append((b"Content-Length", b"%d" % len(self.body)))
        return request_head("POST", node.base + self.target, headers) + self.body
