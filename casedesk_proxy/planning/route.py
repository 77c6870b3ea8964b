"""How a node is asked: the request that is sent, and the translator for its reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from casedesk_proxy.dialects.core.contract import SideRequest, Translator
from casedesk_proxy.fastpath.memory import Memory
from casedesk_proxy.planning.conversation_key import Marked
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.pools.response_memory import Keeper
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.surfaces.form_changes import FormEditor
from casedesk_proxy.surfaces.forms import FormBeginning
from casedesk_proxy.surfaces.parameters import Parameters
from casedesk_proxy.terms import (
    Ability,
    Action,
    Call,
    Control,
    Dialect,
    ModelInfo,
    RawHeaders,
    ResolvedModel,
    record,
)
from casedesk_proxy.wire.chunked import frame_chunk
from casedesk_proxy.wire.headers import node_credential
from casedesk_proxy.wire.http1 import request_head

__all__ = ["ModelPlacement", "PlacementKey", "PlanInputs", "Route", "UploadRoute", "find_none"]


#: A deployment's name, the models to which the key is limited, dialect and action, and the model's
#: name.
PlacementKey = tuple[str, tuple[str, ...] | None, Dialect, Action, str]

#: How many models a client with one head may use in turn.
_MAX_PLACEMENTS = 16


def find_none(ident: str) -> None:
    """For code without a response memory: no node keeps anything."""


def no_placements() -> Memory[str, ModelPlacement]:
    """Placements by the requested names, empty. Their facts are what nodes report, and what was
    detected."""
    return Memory(_MAX_PLACEMENTS)


@record
class PlanInputs:
    """One request, and what its plan depends on. ``reported``: the models of each node that listed
    them; ``nodes``: detected nodes, with their real engines. ``placements``: what planning found
    out about models for earlier requests with the same head and snapshot; ``shared_placements``:
    for requests with other heads. ``refused`` and ``taken``: the controls of thinking that a model
    at a node has refused and accepted; ``without``: the controls to leave out of this request.
    ``form``: ``raw`` is the beginning of a form. ``marked``: ``raw`` is the short form of a larger
    body, with marks in it."""

    call: Call
    headers: RawHeaders = field(repr=False)
    raw: bytes = field(repr=False)
    request_id: str
    reported: Mapping[str, tuple[ModelInfo, ...]]
    nodes: Mapping[str, NodeSpec] = field(default_factory=dict)
    placements: Memory[str, ModelPlacement] = field(default_factory=no_placements)
    refused: Mapping[tuple[str, str], frozenset[Control]] = field(default_factory=dict)
    taken: Mapping[tuple[str, str], frozenset[Control]] = field(default_factory=dict)
    without: frozenset[Control] = frozenset()
    #: Seconds since 1970.
    now: float = 0.0
    #: Finds the node that keeps the response with an id, if it was made with the same key.
    find_keeper: Callable[[str], Keeper | None] = find_none
    form: FormBeginning | None = None
    shared_placements: Memory[PlacementKey, ModelPlacement] = field(
        default_factory=lambda: Memory(0), repr=False
    )
    marked: Marked | None = None

    def with_body(self, raw: bytes) -> PlanInputs:
        """The same with another body, written out: `replace` takes three times as long."""
        if raw is self.raw:
            return self
        return PlanInputs(
            self.call, self.headers, raw, self.request_id, self.reported, self.nodes,
            self.placements, self.refused, self.taken, self.without, self.now,
            self.find_keeper, self.form, self.shared_placements, self.marked,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelPlacement:
    """Where the model ``resolved.asked`` is, valid until nodes report something else.

    ``holders`` have the model, ``natives`` also speak the client's protocol, and ``demand`` is for
    the natives, without a key. ``lacks``: abilities that it lacks at each node that reports them.
    ``plain``: the ``natives`` get every request, whatever it contains. ``head_templates``: see
    Route. ``parameters``: the changes of the alias that led here, and of the key.
    ``refuses_tools``: tools that no node has are refused. ``has_changes``: some of the nodes change
    their requests.
    """

    resolved: ResolvedModel
    holders: tuple[NodeSpec, ...]
    natives: tuple[NodeSpec, ...]
    demand: Demand
    lacks: Mapping[str, frozenset[Ability]] = field(default_factory=dict)
    plain: bool = False
    head_templates: dict[str, bytes] = field(default_factory=dict, repr=False)
    parameters: Parameters | None = None
    refuses_tools: bool = False
    has_changes: bool = False


@record
class Route:
    """How some nodes are asked: in which dialect, for which path.

    ``target`` has the query, but not a node's base path; ``headers`` lack the request's id. A
    ``method`` other than POST has no body. ``head_templates`` are heads by node, up to the value of
    that id: the same for all requests with such a target and such headers. ``translator``
    translates the reply, with ``reply_headers``; None: the node's reply is in the client's
    protocol. ``side_request`` is sent beside it. ``controls``: the controls of thinking in the
    request, each with its field. ``has_more_counts``: it asks for counts for which the client did
    not ask.
    """

    dialect: Dialect
    target: str = field(repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    request_id: str
    body: bytes
    translator: Translator | None = None
    head_templates: dict[str, bytes] = field(default_factory=dict, repr=False)
    reply_headers: tuple[tuple[str, str], ...] = ()
    side_request: SideRequest | None = None
    controls: Mapping[Control, str] = field(default_factory=dict)
    method: str = "POST"
    has_more_counts: bool = False

    def with_counts(self, body: bytes) -> Route:
        """The same route, with a ``body`` that asks for counts. Only for a route without parts."""
        return Route(
            self.dialect, self.target, self.headers, self.request_id, body, self.translator,
            self.head_templates, self.reply_headers, self.side_request, self.controls, self.method,
            has_more_counts=True,
        )  # fmt: skip

    def side_request_for(self, node: NodeSpec) -> bytes:
        """The whole side request for one node."""
        assert self.side_request is not None
        path, body = self.side_request.path, self.side_request.body
        return replace(self, target=path, body=body, head_templates={}).request_for(node)

    def request_for(self, node: NodeSpec) -> bytes:
        """The whole request for one node: with its own Host and its own key."""
        lead = self.head_templates.get(node.name)
        if lead is None:
            lead = self.head_templates[node.name] = self._head_template(node)
        ident, body = self.request_id.encode("ascii"), self.body
        if self.method != "POST":
            return b"%b%b\r\n\r\n" % (lead, ident)
        return b"%b%b\r\nContent-Length: %d\r\n\r\n%b" % (lead, ident, len(body), body)

    def _head_template(self, node: NodeSpec) -> bytes:
        headers = [(b"Host", node.host_header), *self.headers]
        if node.key is not None:
            headers.append(node_credential(self.dialect, node.key))
        headers.append((b"Accept-Encoding", b"identity"))
        headers.append((b"x-request-id", b""))
        return request_head(self.method, node.base + self.target, headers)[:-4]


@record
class UploadRoute(Route):
    """A request whose ``body`` is only the beginning of ``length`` bytes or, if that is None, of a
    chunked body. ``editor`` changes the rest, which only one node can get."""

    length: int | None = None
    editor: FormEditor | None = None

    def request_for(self, node: NodeSpec) -> bytes:
        """Its head, and the beginning of its body."""
        lead, ident = self.head_templates.get(node.name), self.request_id.encode("ascii")
        if lead is None:
            lead = self.head_templates[node.name] = self._head_template(node)
        if self.length is None:
            begin = frame_chunk(self.body) if self.body else b""
            return b"%b%b\r\nTransfer-Encoding: chunked\r\n\r\n%b" % (lead, ident, begin)
        return b"%b%b\r\nContent-Length: %d\r\n\r\n%b" % (lead, ident, self.length, self.body)
