"""Which body is chosen for a node's reply, and which replies cannot be sent to a client."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import StreamBroken, UpstreamFault
from casedesk_proxy.replying.bodies.base import Breach, ReplyBody
from casedesk_proxy.replying.bodies.choose import Chosen, NodeReply, Recipient, choose_body
from casedesk_proxy.replying.bodies.node_error import NodeErrorBody, TranslatedErrorBody
from casedesk_proxy.replying.bodies.relayed import ReframedBody, VerbatimBody
from casedesk_proxy.replying.bodies.translated import TranslatedBody
from casedesk_proxy.replying.bodies.trimmed import TrimmedBody
from casedesk_proxy.replying.bodies.unfolded import UnfoldedBody
from casedesk_proxy.terms import Action, Dialect, Framing
from casedesk_proxy.wire.chunked import LAST_CHUNK, frame_chunk
from casedesk_proxy.wire.http1 import parse_response_head
from tests.fixtures.table import table
from tests.replying.shouting import Shouting

EVENTS = "Content-Type: text/event-stream"
JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"


def choose(
    *lines: str,
    status: int = 200,
    framing: Framing = Framing.SSE,
    http11: bool = True,
    kept_alive: bool = False,
    translated: bool = False,
    counted: bool = False,
    action: Action | None = None,
) -> Chosen:
    head = parse_response_head("\r\n".join((f"HTTP/1.1 {status} X", *lines)).encode())
    client = Recipient(
        Dialect.OPENAI, "r1", http11, True, b"", framing, is_kept_alive=kept_alive,
        action=action,
    )  # fmt: skip
    translator = Shouting("at once") if translated else None
    reply = NodeReply(head, "n1", "m", b"host:1", None, translator, has_more_counts=counted)
    return choose_body(client, reply)


@table(
    ("lines", "status", "http11", "body"),
    [
        ((EVENTS, CHUNKED), 200, True, VerbatimBody),
        ((JSON, "Content-Length: 2"), 200, True, VerbatimBody),
        ((EVENTS, CHUNKED), 200, False, ReframedBody),
        ((EVENTS,), 200, True, ReframedBody),
        ((EVENTS, CHUNKED, "Content-Encoding: gzip"), 200, True, ReframedBody),
        ((JSON, CHUNKED), 400, True, NodeErrorBody),
        ((JSON, CHUNKED, "Content-Encoding: br"), 400, True, NodeErrorBody),
    ],
)
def test_a_reply_in_the_clients_protocol(
    lines: tuple[str, ...], status: int, http11: bool, body: type[ReplyBody]
) -> None:
    assert type(choose(*lines, status=status, http11=http11).body) is body


def test_counts_that_nobody_asked_for_are_taken_out_of_streams_alone() -> None:
    assert isinstance(choose(EVENTS, CHUNKED, counted=True).body, TrimmedBody)
    assert isinstance(choose(JSON, CHUNKED, counted=True).body, VerbatimBody)
    assert isinstance(choose(EVENTS, CHUNKED, counted=True, status=400).body, NodeErrorBody)
    framed = choose(EVENTS, "Content-Length: 9", counted=True)
    assert b"chunked" in framed.make_head(None).lower(), "its length changes"
    assert choose(EVENTS, CHUNKED, counted=True, http11=False).body.bare


@table(
    ("kind", "framing", "action", "body"),
    [
        (JSON, Framing.SSE, Action.CHAT, UnfoldedBody),
        ("X: y", Framing.SSE, Action.COMPLETE, UnfoldedBody),
        (EVENTS, Framing.SSE, Action.CHAT, VerbatimBody),
        (JSON, Framing.UNARY, Action.CHAT, VerbatimBody),
        (JSON, Framing.SSE, Action.DRAW, VerbatimBody),
        (EVENTS, Framing.UNARY, Action.TRANSCRIBE, VerbatimBody),
    ],
)
def test_a_document_for_a_client_of_a_stream(
    kind: str, framing: Framing, action: Action, body: type[ReplyBody]
) -> None:
    for kept_alive in (False, True) if body is UnfoldedBody else (False,):
        for status in (200, 201):
            chosen = choose(
                kind, CHUNKED, framing=framing, action=action, kept_alive=kept_alive, status=status
            )
            assert type(chosen.body) is body


def test_a_stream_of_status_201_may_not_break_off() -> None:
    """It is the default of some frameworks for POST."""
    body = choose(EVENTS, CHUNKED, status=201).body
    event = b'data: {"choices":[{"index":0,"delta":{"content":"w"}}]}\n\n'
    wire = frame_chunk(event) + LAST_CHUNK
    assert body.take(wire, body.reader.read(wire), unsent=True) == frame_chunk(event)
    with pytest.raises(StreamBroken, match="ended before the answer was complete"):
        body.finish(unsent=False)


@table("action", [Action.CHAT, Action.GENERATE, Action.RESPOND])
def test_a_stream_for_a_client_of_a_document(action: Action) -> None:
    with pytest.raises(StreamBroken, match="n1 answered a request for one reply with a stream"):
        choose(EVENTS, CHUNKED, framing=Framing.UNARY, action=action)


@table("kept_alive", [False, True])
def test_events_in_the_place_of_google_s_array(kept_alive: bool) -> None:
    framing, action = Framing.JSON_ARRAY, Action.STREAM_GENERATE
    chosen = choose(EVENTS, CHUNKED, kept_alive=kept_alive, framing=framing, action=action)
    assert isinstance(chosen.body, TranslatedBody)
    assert b"content-type: application/json" in chosen.make_head(None).lower()
    refused = choose(EVENTS, CHUNKED, status=503, framing=framing, action=action)
    assert isinstance(refused.body, NodeErrorBody)


def test_google_s_array_is_an_array() -> None:
    for kind, text, is_answer in (
        (JSON, b'{"a":1}', False),
        (JSON, b"\n", True),
        (JSON, b' [{"a":1}]', True),
    ):
        body = choose(kind, f"Content-Length: {len(text)}", framing=Framing.JSON_ARRAY).body
        used = body.reader.read(text)
        if is_answer:
            assert body.take(text, used, unsent=True) == text
            continue
        with pytest.raises(StreamBroken, match="did not answer with a JSON array"):
            body.take(text, used, unsent=True)


def test_a_translated_reply() -> None:
    assert isinstance(choose(EVENTS, CHUNKED, translated=True).body, TranslatedBody)
    refused = choose(JSON, CHUNKED, status=400, translated=True).body
    assert isinstance(refused, TranslatedErrorBody)


@table("translated", [True, False])
def test_a_coding_that_cannot_be_undone_is_no_reply(translated: bool) -> None:
    with pytest.raises(StreamBroken, match=r"compressed its reply \(br\)"):
        choose(EVENTS, CHUNKED, "Content-Encoding: br", translated=translated)


PAGE = "Content-Type: Text/HTML; charset=utf-8"


@table(
    ("framing", "translated"),
    [(Framing.SSE, False), (Framing.JSON_ARRAY, False), (Framing.UNARY, True)],
)
def test_a_web_page_is_no_reply(framing: Framing, translated: bool) -> None:
    """By its first bytes: frameworks say so of all that their programs do not name."""
    for sent in (b"\n<head>", b"[{}"):
        length = f"Content-Length: {len(sent)}"
        body = choose(PAGE, length, framing=framing, translated=translated).body
        assert not body.goes_ahead
        used = body.reader.read(sent)
        if sent.startswith(b"["):
            assert body.take(sent, used, unsent=True) in (sent, b"")
            continue
        with pytest.raises(StreamBroken, match="the node answered with a web page"):
            body.take(sent, used, unsent=True)


def test_what_waits_for_the_first_bytes_still_tells_them() -> None:
    """Which node keeps a response is learned from them."""
    head = parse_response_head(f"HTTP/1.1 200 X\r\n{PAGE}\r\n{CHUNKED}".encode())
    client = Recipient(Dialect.OPENAI, "r1", True, True, b"", Framing.SSE)
    told: list[bytes] = []
    node = NodeReply(head, "n1", "m", b"host:1", None, on_first_bytes=told.append)
    body = choose_body(client, node).body
    wire = frame_chunk(b"data: x")
    assert body.take(wire, body.reader.read(wire), unsent=True) == wire
    assert told == [b"data: x"]


def test_a_document_is_a_web_page_by_its_first_bytes() -> None:
    for text, is_page in ((b"<HTML>no", True), (b"A transcript", False)):
        body = choose(PAGE, f"Content-Length: {len(text)}", framing=Framing.UNARY).body
        used = body.reader.read(text)
        if not is_page:
            assert body.take(text, used, unsent=True) == text
            continue
        with pytest.raises(StreamBroken, match="the node answered with a web page"):
            body.take(text, used, unsent=True)


@table(
    ("kind", "status", "framing", "is_answer"),
    [
        (JSON, 200, Framing.UNARY, False),
        (JSON, 201, Framing.UNARY, False),
        (JSON, 202, Framing.UNARY, True),
        ("Content-Type: text/plain", 200, Framing.UNARY, True),
        (JSON, 200, Framing.SSE, False),
        (EVENTS, 204, Framing.SSE, False),
        (JSON, 304, Framing.SSE, True),
    ],
)
def test_what_may_be_empty(kind: str, status: int, framing: Framing, is_answer: bool) -> None:
    body = choose(kind, "Content-Length: 0", status=status, framing=framing).body
    assert body.reader.ended
    if is_answer:
        assert body.finish(unsent=True) == b""
        return
    with pytest.raises(StreamBroken, match="the node's reply was empty"):
        body.finish(unsent=True)


def test_a_client_that_was_kept_alive_waits_for_a_stream() -> None:
    for status in (200, 201):
        kept = choose(EVENTS, CHUNKED, status=status, kept_alive=True)
        assert isinstance(kept.body, VerbatimBody)
    with pytest.raises(UpstreamFault, match="status 503") as refused:
        choose(JSON, CHUNKED, status=503, kept_alive=True)
    assert refused.value.status == 503
    with pytest.raises(StreamBroken, match="did not answer with an event stream"):
        choose(JSON, CHUNKED, kept_alive=True)
    with pytest.raises(StreamBroken, match="did not answer with an event stream"):
        choose(EVENTS, CHUNKED, status=202, kept_alive=True)
    with pytest.raises(StreamBroken, match="n1 answered with a web page; correct its url"):
        choose(PAGE, CHUNKED, kept_alive=True)


def test_a_client_that_was_kept_alive_with_a_bracket_waits_for_the_rest_of_an_array() -> None:
    kept = choose(JSON, CHUNKED, framing=Framing.JSON_ARRAY, kept_alive=True).body
    assert isinstance(kept, ReframedBody), "not the node's very bytes"
    wire = frame_chunk(b'[{"a":1}')
    assert kept.take(wire, kept.reader.read(wire), unsent=False) == frame_chunk(b'{"a":1}')


def test_an_error_is_judged_before_it_goes_out() -> None:
    body = choose(JSON, "Content-Length: 22", status=401).body
    told = b"no access at host:1 ok"
    body.take(told, body.reader.read(told), unsent=True)
    breach = body.finish(unsent=True)
    assert isinstance(breach, Breach)
    assert breach.error.status == 401
    assert "host:1" not in breach.error.message


def test_an_error_goes_out_with_its_length() -> None:
    made = choose(JSON, CHUNKED, status=400).make_head(5)
    assert made.startswith(b"HTTP/1.1 400 X\r\n")
    assert b"\r\nContent-Length: 5\r\n" in made
    assert b"chunked" not in made.lower()


@table(
    ("framing", "http11", "keep_alive"),
    [
        (Framing.SSE, True, True),
        (Framing.SSE, False, False),
        (Framing.UNARY, False, True),
    ],
)
def test_without_framing_the_end_of_the_connection_is_that_of_a_stream(
    framing: Framing, http11: bool, keep_alive: bool
) -> None:
    made = choose(EVENTS, CHUNKED, framing=framing, http11=http11, translated=True)
    assert made.keep_alive is keep_alive
    assert made.body.bare is (not keep_alive)


def test_lines_are_a_stream_where_the_client_waits_for_the_rest_of_some() -> None:
    lines = "Content-Type: application/x-ndjson"
    choose(lines, CHUNKED, framing=Framing.LINES, kept_alive=True)
    with pytest.raises(StreamBroken):
        choose(EVENTS, CHUNKED, framing=Framing.LINES, kept_alive=True)
