"""The head that clients get."""

from __future__ import annotations

from casedesk_proxy.replying.heads import (
    Addressee,
    annotate,
    as_lines,
    client_framing,
    is_line_stream,
    own_head,
    reply_head,
    translated_head,
)
from casedesk_proxy.terms import Dialect
from casedesk_proxy.wire.http1 import BodyFraming, ResponseHead, parse_response_head
from tests.fixtures.table import table


def client(
    surface: Dialect = Dialect.OPENAI, *, keep_alive: bool = True, http11: bool = True,
    notes: bytes = b"", ident: str = "req-1",
) -> Addressee:  # fmt: skip
    return Addressee(surface, ident, http11, keep_alive, notes)


def shown(*lines: str, surface: Dialect = Dialect.OPENAI, keep_alive: bool = True) -> list[str]:
    head = parse_response_head("\r\n".join(("HTTP/1.1 200 OK", *lines)).encode())
    framing = client_framing(head.body, http11=True)
    made = reply_head(head, framing, client(surface, keep_alive=keep_alive))
    assert made.endswith(b"\r\n\r\n")
    return made.decode().removesuffix("\r\n\r\n").split("\r\n")


def test_what_clients_must_not_see_is_taken_off() -> None:
    assert shown(
        "Server: llama.cpp", "Access-Control-Allow-Origin: *", "Set-Cookie: a=b",
        "Connection: keep-alive, X-Hop", "Keep-Alive: timeout=5", "X-Hop: 1",
        "x-request-id: the node's", "Content-Type: application/json", "Content-Length: 2",
    ) == [
        "HTTP/1.1 200 OK", "Content-Type: application/json", "x-request-id: req-1",
        "Content-Length: 2",
    ]  # fmt: skip


def test_a_percent_sign_of_the_nodes_stays_one() -> None:
    lines = shown("X-Share: 100%b", "Content-Length: 2", surface=Dialect.ANTHROPIC)
    assert lines[1:] == [
        "X-Share: 100%b", "x-request-id: req-1", "request-id: req-1", "Content-Length: 2",
    ]  # fmt: skip


def test_event_streams_are_not_to_be_buffered() -> None:
    lines = shown("content-type: text/event-stream", "transfer-encoding: chunked")
    assert lines[1:] == [
        "content-type: text/event-stream", "x-request-id: req-1", "X-Accel-Buffering: no",
        "Transfer-Encoding: chunked",
    ]  # fmt: skip


@table(
    ("kind", "is_one"),
    [
        ("application/x-ndjson", True),
        ("application/json; charset=utf-8", True),
        ("text/event-stream", False),
        ("text/html", False),
    ],
)
def test_a_stream_of_lines(kind: str, is_one: bool) -> None:
    """Ollama answers a request that only loads a model with one line, even if a stream was
    requested."""
    lines = shown(f"Content-Type: {kind}", "Transfer-Encoding: chunked")
    head = parse_response_head(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}".encode())
    assert is_line_stream(head) is is_one
    streams = kind in ("application/x-ndjson", "text/event-stream")
    assert ("X-Accel-Buffering: no" in lines) is streams


def test_anthropic_replies_carry_a_request_id() -> None:
    made = shown("Content-Length: 0", surface=Dialect.ANTHROPIC)
    assert "request-id: req-1" in made
    made = shown("Content-Length: 0", "request-id: msg_1", surface=Dialect.ANTHROPIC)
    assert "request-id: msg_1" in made
    assert "request-id: req-1" not in made


def test_a_translated_reply_has_one_too() -> None:
    for surface in Dialect:
        made = translated_head("application/json", (("x-a", "b"),), client(surface), 2)
        assert b"\r\nx-a: b\r\nx-request-id: req-1\r\n" in made
        assert (b"\r\nrequest-id: req-1\r\n" in made) is (surface is Dialect.ANTHROPIC)


def test_a_connection_that_ends_says_so() -> None:
    assert shown("Content-Length: 0", keep_alive=False)[-1] == "Connection: close"


@table(
    ("body", "http11", "wanted"),
    [
        (BodyFraming.CHUNKED, True, BodyFraming.CHUNKED),
        (BodyFraming.CHUNKED, False, BodyFraming.CLOSE),
        (BodyFraming.CLOSE, True, BodyFraming.CHUNKED),
        (BodyFraming.CLOSE, False, BodyFraming.CLOSE),
        (BodyFraming.LENGTH, False, BodyFraming.LENGTH),
        (BodyFraming.NONE, True, BodyFraming.NONE),
    ],
)
def test_framing_towards_the_client(body: BodyFraming, http11: bool, wanted: BodyFraming) -> None:
    assert client_framing(body, http11=http11) is wanted


def test_a_head_of_our_own() -> None:
    assert own_head(404, ((b"a", b"b"),), 3, keep_alive=False) == (
        b"HTTP/1.1 404 Not Found\r\na: b\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
    )


@table(
    ("keep_alive", "http11", "line"),
    [(True, True, b""), (True, False, b"Connection: keep-alive"),
     (False, True, b"Connection: close"), (False, False, b"Connection: close")],
)  # fmt: skip
def test_what_becomes_of_the_connection(keep_alive: bool, http11: bool, line: bytes) -> None:
    """Without the header `ab -k` waits forever."""
    head = ResponseHead(200, b"OK", (), BodyFraming.LENGTH, 2, True)
    one = client(keep_alive=keep_alive, http11=http11)
    heads = [
        reply_head(head, BodyFraming.LENGTH, one),
        own_head(200, (), 2, keep_alive=keep_alive, http11=http11),
        translated_head("application/json", (), one, 2),
    ]
    for made in heads:
        lines = made.removesuffix(b"\r\n\r\n").split(b"\r\n")
        assert [one for one in lines if one.startswith(b"Connection:")] == ([line] if line else [])


NOTES = as_lines(((b"x-ratelimit-remaining-tokens", b"7"),))


def test_what_is_left_stands_in_place_of_what_the_node_says_of_its_own_limits() -> None:
    head = b"HTTP/1.1 200 OK\r\nX-RateLimit-Remaining-Tokens: 1\r\nA: ratelimit-\r\n\r\n"
    assert annotate(head, NOTES) == (
        b"HTTP/1.1 200 OK\r\nA: ratelimit-\r\nx-ratelimit-remaining-tokens: 7\r\n\r\n"
    )


def test_a_relayed_head_with_what_is_left_is_made_in_one_step() -> None:
    headers = ((b"X-RateLimit-Limit-Tokens", b"1"), (b"100%", b"ratelimit-"))
    head = ResponseHead(200, b"OK", headers, BodyFraming.LENGTH, 2, True)
    for surface in (Dialect.OPENAI, Dialect.ANTHROPIC):
        plain = reply_head(head, BodyFraming.LENGTH, client(surface))
        noted = reply_head(head, BodyFraming.LENGTH, client(surface, notes=NOTES))
        assert noted == annotate(plain, NOTES)


def test_a_translated_head_says_what_is_left() -> None:
    headers = (("X-RateLimit-Limit-Tokens", "1"), ("a", "b"))
    plain = translated_head("application/json", headers, client(), 2)
    assert b"X-RateLimit-Limit-Tokens: 1" in plain
    noted = translated_head("application/json", headers, client(notes=NOTES), 2)
    assert noted == annotate(plain, NOTES)


def test_a_client_whose_connection_ends() -> None:
    assert client().parting(unless=True) == client()
    assert client().parting(unless=False) == client(keep_alive=False)
    gone = client(keep_alive=False)
    assert gone.parting(unless=True) is gone.parting(unless=False) is gone
