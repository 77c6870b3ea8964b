"""Chooses the body class and the head for a node's reply."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from casedesk_proxy.dialects.core.contract import Translator
from casedesk_proxy.errors import ProxyError, StreamBroken, UpstreamFault
from casedesk_proxy.replying.bodies.arrayed import ArrayingTranslator
from casedesk_proxy.replying.bodies.base import ReplyBody
from casedesk_proxy.replying.bodies.content import ArrayRest, Content
from casedesk_proxy.replying.bodies.node_error import NodeErrorBody, TranslatedErrorBody
from casedesk_proxy.replying.bodies.relayed import ReframedBody, VerbatimBody
from casedesk_proxy.replying.bodies.translated import ReplyTranslation, TranslatedBody
from casedesk_proxy.replying.bodies.trimmed import TrimmedBody
from casedesk_proxy.replying.bodies.unfolded import (
    UNFOLDERS,
    Unfold,
    UnfoldedBody,
    UnfoldingTranslator,
)
from casedesk_proxy.replying.commands import MakeHead
from casedesk_proxy.replying.endings import Form
from casedesk_proxy.replying.heads import (
    ANSWERED,
    Addressee,
    client_framing,
    is_event_stream,
    is_json,
    is_line_stream,
    is_page,
    reply_head,
    translated_head,
)
from casedesk_proxy.replying.in_stream_errors import IS_PAGE, judge_within
from casedesk_proxy.replying.keepalive import keepalive_bytes
from casedesk_proxy.replying.node_errors import judge_refusal
from casedesk_proxy.terms import Action, Framing, record
from casedesk_proxy.wire.bodies import body_reader, is_opaque
from casedesk_proxy.wire.http1 import BodyFraming, ResponseHead

__all__ = ["Chosen", "NodeReply", "Recipient", "choose_body"]

_FORMS = {
    Framing.SSE: Form.EVENTS,
    Framing.JSON_ARRAY: Form.ARRAY,
    Framing.UNARY: Form.UNARY,
    Framing.LINES: Form.LINES,
}
#: For translated replies.
_OWN_FORMS = _FORMS | {Framing.JSON_ARRAY: Form.OWN_ARRAY}
#: Requests that may ask for a stream and, in this call, ask for one document.
_WHOLE = frozenset(UNFOLDERS) | {Action.GENERATE}


@record
class Recipient(Addressee):
    """The client of a reply, and what it expects. ``library`` is the value of ``x-goog-api-client``
    of a Gemini client. ``is_kept_alive``: the client has already received the head of a stream.
    ``action``: what it requests."""

    framing: Framing
    library: bytes = b""
    is_kept_alive: bool = False
    action: Action | None = None


@record
class NodeReply:
    """The reply of the node ``name``. ``model`` is the client's name of the model; ``authority`` is
    the node's address and ``key`` its key, which no client may learn; ``headers`` are for the
    client's head of a translated reply. ``on_first_bytes`` gets the first bytes of an answer.
    ``has_more_counts``: the stream contains counts for which its client did not ask."""

    head: ResponseHead
    name: str
    model: str
    authority: bytes
    key: str | None = dataclasses.field(repr=False)
    translator: Translator | None = None
    headers: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False)
    on_first_bytes: Callable[[bytes], None] | None = None
    has_more_counts: bool = False


@record
class Chosen:
    """``keep_alive``: the client's connection may carry another request after the whole reply."""

    make_head: MakeHead
    body: ReplyBody
    keep_alive: bool


def choose_body(client: Recipient, node: NodeReply) -> Chosen:
    """Raises UpstreamFault if the reply cannot be used for this client."""
    _check_readable(node)
    may_be_text = client.framing is Framing.UNARY and node.translator is None
    if is_page(node.head) and not may_be_text:
        look = functools.partial(_refuse_page, node.on_first_bytes)
        node = dataclasses.replace(node, on_first_bytes=look)
    if node.translator is not None:
        return _translated(client, node, node.translator)
    if node.head.status in ANSWERED and client.action is not None:
        _check_is_whole(client, node)
        unfold = UNFOLDERS.get(client.action)
        if unfold is not None and client.framing is Framing.SSE and not is_event_stream(node.head):
            return _unfolded(client, node, unfold)
        if client.framing is Framing.JSON_ARRAY and is_event_stream(node.head):
            arraying = ArrayingTranslator(node.model, is_opened=client.is_kept_alive)
            return _translated(client, node, arraying)
    if client.is_kept_alive:
        _check_continues(client.framing, node)
    return _node_error(client, node) if node.head.status >= 400 else _relayed(client, node)


def _check_readable(node: NodeReply) -> None:
    """Nodes are asked for an uncompressed reply. A reply that is compressed nevertheless is
    decoded, or refused if it cannot be; a compressed error is judged only by its status."""
    head = node.head
    if head.status >= 400 or not is_opaque(head):
        return
    coding = head.coding[:40].decode("latin-1")
    raise StreamBroken(
        f"compressed its reply ({coding}), which the proxy asked it not to do;"
        " turn compression off at the node or at the proxy in front of it"
    ).with_node(node.name)


def _refuse_page(on_first_bytes: Callable[[bytes], None] | None, first: bytes) -> None:
    """For a reply whose node says that it is a web page, for example a user interface or a sign-in
    page, to which a wrong URL leads. But some servers send events and answers under that type,
    which is the default of their framework: the ``first`` bytes decide. A text for people may begin
    in any way but that of a page, see `read_within`."""
    if first.lstrip().startswith(b"<"):
        raise StreamBroken(IS_PAGE)
    if on_first_bytes is not None:
        on_first_bytes(first)


def _check_is_whole(client: Recipient, node: NodeReply) -> None:
    """Raises StreamBroken for events in the place of one document, of which clients read nothing.
    Only for the requests that can ask for either."""
    asks_for_one = client.framing is Framing.UNARY and client.action in _WHOLE
    if asks_for_one and is_event_stream(node.head):
        raise StreamBroken(
            "answered a request for one reply with a stream; correct what makes it stream"
        ).with_node(node.name)


def _check_continues(framing: Framing, node: NodeReply) -> None:
    """The client waits for the rest of a stream with status 200; any other reply must be reported
    as an error."""
    head = node.head
    if head.status in ANSWERED and _streams_as(framing, head):
        return
    if head.status >= 400:
        raise UpstreamFault(
            f"node {node.name} answered with status {head.status}; look into its log",
            status=head.status,
        )
    did = IS_PAGE if is_page(head) else "did not answer with an event stream"
    raise StreamBroken(did).with_node(node.name)


def _streams_as(framing: Framing, head: ResponseHead) -> bool:
    """Whether a reply has the form that its client asked for; an array is recognised by its
    bytes."""
    if framing is Framing.LINES:
        return is_line_stream(head)
    return framing is Framing.JSON_ARRAY or (framing is Framing.SSE and is_event_stream(head))


def _relayed(client: Recipient, node: NodeReply) -> Chosen:
    """A reply that is in the client's protocol."""
    head = node.head
    coded = bool(head.coding)
    given = BodyFraming.CHUNKED if coded else head.body
    trimmed = node.has_more_counts and head.status in ANSWERED and is_event_stream(head)
    # A client that has received keepalives gets chunks.
    wanted = BodyFraming.CHUNKED if client.is_kept_alive or trimmed else given
    taken = client_framing(wanted, http11=client.http11)
    to = client.parting(unless=taken is not BodyFraming.CLOSE)

    def make_head(length: int | None) -> bytes:
        return reply_head(head, taken, to)

    content, reader = _content(client, node), body_reader(head)
    if trimmed:
        body: ReplyBody = TrimmedBody(reader, content, bare=taken is BodyFraming.CLOSE)
        return Chosen(make_head, body, to.keep_alive)
    continues = client.is_kept_alive and client.framing is Framing.JSON_ARRAY
    if taken is given and given is not BodyFraming.CLOSE and not coded and not continues:
        body = VerbatimBody(reader, content)
    else:
        body = ReframedBody(reader, content, bare=taken is BodyFraming.CLOSE)
    body.goes_ahead = not is_page(head)
    return Chosen(make_head, body, to.keep_alive)


def _content(client: Recipient, node: NodeReply) -> Content:
    surface, framing, head = client.surface, client.framing, node.head
    streams = _streams_as(framing, head)
    keepalive = keepalive_bytes(surface, framing, client.library) if streams else b""
    if client.is_kept_alive and framing is Framing.JSON_ARRAY:
        return ArrayRest(surface, keepalive=keepalive)
    within = None
    if head.status in ANSWERED:
        within = functools.partial(judge_within, surface, model=node.model, key=node.key)
    ends = streams and framing is not Framing.JSON_ARRAY and head.status in ANSWERED
    return Content(
        surface, _FORMS[framing], keepalive=keepalive, answers=surface if ends else None,
        within=within, on_first_bytes=node.on_first_bytes if head.status in ANSWERED else None,
        may_be_empty=not _owes_content(framing, head),
    )  # fmt: skip


def _owes_content(framing: Framing, head: ResponseHead) -> bool:
    """Whether an empty body is an error."""
    if framing is Framing.UNARY:
        return head.status in ANSWERED and is_json(head)
    return head.status < 300


def _unfolded(client: Recipient, node: NodeReply, unfold: Unfold) -> Chosen:
    """A reply that is not what its client asked for, or is not labelled so."""
    keepalive = keepalive_bytes(client.surface, client.framing, client.library)
    translator = UnfoldingTranslator(client.surface, node.model, unfold, keepalive)
    return _translated(client, node, translator, UnfoldedBody)


def _node_error(client: Recipient, node: NodeReply) -> Chosen:
    """An error in the client's protocol, or in what its node uses as such."""
    head = node.head

    def make_head(length: int | None) -> bytes:
        whole = dataclasses.replace(head, body=BodyFraming.LENGTH, length=length or 0)
        return reply_head(whole, BodyFraming.LENGTH, client)

    def judge(body: bytes) -> ProxyError | None:
        return judge_refusal(client.surface, head, body, node.authority, node.model, node.key)

    return Chosen(make_head, NodeErrorBody(body_reader(head), judge), client.keep_alive)


def _translated(
    client: Recipient,
    node: NodeReply,
    translator: Translator,
    kind: type[TranslatedBody] = TranslatedBody,
) -> Chosen:
    translation = ReplyTranslation(translator, client.surface, _OWN_FORMS[client.framing], node.key)
    bare = not client.http11
    to = client.parting(unless=translation.is_whole or not bare)
    make_head = functools.partial(translated_head, translator.content_type, node.headers, to)
    reader = body_reader(node.head)
    body: ReplyBody
    if 200 <= node.head.status < 300:
        on_first = node.on_first_bytes if node.head.status in ANSWERED else None
        body = kind(reader, translation, bare=bare, on_first_bytes=on_first)
    else:
        body = TranslatedErrorBody(reader, node.head, translation, bare=bare)
    return Chosen(make_head, body, to.keep_alive)
