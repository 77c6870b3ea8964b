"""Heads of replies: what is read, and what is refused as ambiguous."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.wire.http1 import (
    MAX_FIELDS,
    MAX_TARGET_BYTES,
    BodyFraming,
    HeadTooLarge,
    MalformedMessage,
    TargetTooLong,
    glimpse_head,
    header,
    parse_request_head,
    parse_response_head,
    request_head,
    retry_after_s,
)
from tests.fixtures.table import table


def parse(*lines: str) -> tuple[BodyFraming, int, bool]:
    head = parse_response_head("\r\n".join(lines).encode())
    return head.body, head.length, head.keep_alive


@table(
    ("lines", "wanted"),
    [
        (["HTTP/1.1 200 OK", "Content-Length: 5"], (BodyFraming.LENGTH, 5, True)),
        (["HTTP/1.1 200 OK", "Content-Length: 0"], (BodyFraming.LENGTH, 0, True)),
        (
            ["HTTP/1.1 200 OK", "content-length:5", "Content-Length: 5"],
            (BodyFraming.LENGTH, 5, True),
        ),
        (
            ["HTTP/1.1 200 OK", "Transfer-Encoding: Chunked"],
            (BodyFraming.CHUNKED, 0, True),
        ),
        (["HTTP/1.1 200 OK"], (BodyFraming.CLOSE, 0, False)),
        (
            ["HTTP/1.1 200", "Content-Length: 5", "Connection: close"],
            (BodyFraming.LENGTH, 5, False),
        ),
        (["HTTP/1.0 200 OK", "Content-Length: 5"], (BodyFraming.LENGTH, 5, False)),
        (["HTTP/1.0 200 OK", "Content-Length: 5", "Connection: keep-alive"],
         (BodyFraming.LENGTH, 5, True)),
        (["HTTP/1.1 200 OK", "Content-Length: 5", "Connection: close", "Connection: keep-alive"],
         (BodyFraming.LENGTH, 5, False)),
        (["HTTP/1.1 204 No Content"], (BodyFraming.NONE, 0, True)),
        (["HTTP/1.1 304 Not Modified", "Content-Length: 5"], (BodyFraming.NONE, 0, True)),
        (["HTTP/1.1 100 Continue"], (BodyFraming.NONE, 0, True)),
    ],
)  # fmt: skip
def test_framing(lines: list[str], wanted: tuple[BodyFraming, int, bool]) -> None:
    assert parse(*lines) == wanted


@table(
    "lines",
    [
        ["HTTP/2 200 OK"],
        ["HTTP/1.1 20 OK"],
        ["HTTP/1.1 999 OK"],
        ["ICY 200 OK"],
        [""],
        ["HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6"],
        ["HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked"],
        ["HTTP/1.1 200 OK", "Content-Length: -5"],
        ["HTTP/1.1 200 OK", "Content-Length: 5, 5"],
        ["HTTP/1.1 200 OK", "Content-Length: " + "9" * 30],
        ["HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked"],
        ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
        ["HTTP/1.1 200 OK", "no colon"],
        ["HTTP/1.1 200 OK", "name : value"],
        ["HTTP/1.1 200 OK", "a: b", " folded"],
        ["HTTP/1.1 200 OK", "a: b\x00c"],
        ["HTTP/1.1 200 OK", "a: b\nc: d"],
    ],
)
def test_unclear_heads_are_refused(lines: list[str]) -> None:
    with pytest.raises(MalformedMessage):
        parse(*lines)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_head_or_refused(garbage: bytes) -> None:
    for block in (garbage, b"HTTP/1.1 200 OK\r\n" + garbage):
        try:
            head = parse_response_head(block)
        except MalformedMessage:
            continue
        assert 100 <= head.status <= 599


def test_values_are_kept_and_found() -> None:
    head = parse_response_head(b"HTTP/1.1 200 Fine\r\nX-A:  one two \r\nx-a: second")
    assert head.reason == b"Fine"
    assert head.headers == ((b"X-A", b"one two"), (b"x-a", b"second"))
    assert header(head.headers, b"x-a") == b"one two"
    assert header(head.headers, b"x-b") is None


def test_request_head() -> None:
    assert request_head("POST", "/v1/x?a=b", [(b"Host", b"n"), (b"X", b"y")]) == (
        b"POST /v1/x?a=b HTTP/1.1\r\nHost: n\r\nX: y\r\n\r\n"
    )


@given(st.binary(min_size=1, max_size=60))
def test_a_target_goes_out_as_it_came(target: bytes) -> None:
    try:
        head = parse_request_head(b"POST " + target + b" HTTP/1.1\r\nHost: h")
    except MalformedMessage:
        assert any(byte <= 0x20 or byte == 0x7F for byte in target)
        return
    assert request_head("POST", head.target, []).split(b" ")[1] == target


@table(
    ("lines", "wanted"),
    [
        (["POST / HTTP/1.1", "Host: h", "Content-Length: 3"], (BodyFraming.LENGTH, 3, True)),
        (
            ["POST / HTTP/1.1", "Host: h", "Transfer-Encoding: chunked"],
            (BodyFraming.CHUNKED, 0, True),
        ),
        (["GET / HTTP/1.1", "Host: h", "Connection: close"], (BodyFraming.NONE, 0, False)),
        (["GET / HTTP/1.0"], (BodyFraming.NONE, 0, False)),
        (["GET / HTTP/1.0", "Connection: Keep-Alive"], (BodyFraming.NONE, 0, True)),
        (
            ["GET / HTTP/1.0", "Connection: close", "Connection: keep-alive"],
            (BodyFraming.NONE, 0, False),
        ),
        (
            ["GET / HTTP/1.1", "Host: h", "Connection: Close", "Connection: keep-alive"],
            (BodyFraming.NONE, 0, False),
        ),
        (
            ["GET / HTTP/1.1", "Host: h", "Connection: keep-alive", "Connection: TE, close"],
            (BodyFraming.NONE, 0, False),
        ),
    ],
)
def test_requests(lines: list[str], wanted: tuple[BodyFraming, int, bool]) -> None:
    head = parse_request_head("\r\n".join(lines).encode())
    assert (head.body, head.length, head.keep_alive) == wanted


@table(
    ("lines", "why"),
    [
        (["GET /"], "not a request line"),
        (["GET / HTTP/2"], "not a request line"),
        (["GET / HTTP/1.1"], "one Host"),
        (["GET / HTTP/1.1", "Host: a", "Host: a"], "one Host"),
        (["GET / HTTP/1.0", "Host: a", "host: b"], "one Host"),
        (["POST / HTTP/1.0", "Transfer-Encoding: chunked"], "chunked framing in HTTP/1.0"),
    ],
)
def test_unclear_requests_are_refused(lines: list[str], why: str) -> None:
    with pytest.raises(MalformedMessage, match=why):
        parse_request_head("\r\n".join(lines).encode())


def test_a_head_with_another_length() -> None:
    """Repeated heads are read once; these differ only in the length of the body."""
    for read, first in (
        (parse_request_head, b"POST / HTTP/1.1\r\nHost: h"),
        (parse_response_head, b"HTTP/1.1 200 OK"),
    ):
        head = read(first + b"\r\nContent-Length: 3")
        longer = head.with_length(70)
        assert longer.length == 70
        assert longer.with_length(3) == head


def test_a_head_without_what_only_planning_needs() -> None:
    head = parse_request_head(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3")
    assert replace(head.without_headers(), headers=head.headers) == head
    assert head.without_headers().headers == ()


@table(
    ("data", "glimpse"),
    [
        (b"", ("", "", ())),
        (b"\x16\x03\x01", ("", "", ())),
        (b"\r\nGET /v1/mod", ("GET", "/v1/mod", ())),
        (
            b"GET /a HTTP/1.1\r\nHost: h \r\nno colon\r\nX-A: b",
            ("GET", "/a", ((b"Host", b"h"), (b"X-A", b"b"))),
        ),
        (b"GET /\xff HTTP/1.1", ("GET", "/\udcff", ())),
        (b"GET /" + b"a" * 9000, ("GET", "/" + "a" * (MAX_TARGET_BYTES - 1), ())),
    ],
)
def test_a_refused_head_is_glimpsed_at(data: bytes, glimpse: tuple[str, str, object]) -> None:
    assert glimpse_head(data) == glimpse


@given(st.binary(max_size=300))
def test_any_bytes_are_glimpsed_at(garbage: bytes) -> None:
    for data in (garbage, b"GET /" + garbage):
        method, _, headers = glimpse_head(data)
        assert method or not headers


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused(garbage: bytes) -> None:
    for block in (garbage, b"GET / HTTP/1.1\r\nHost: h\r\n" + garbage):
        try:
            head = parse_request_head(block)
        except MalformedMessage:
            continue
        assert head.method
        assert head.body is not BodyFraming.CLOSE


def test_header_lines_are_counted() -> None:
    """Reading a header line costs as much as 20 bytes of a body, and a head is read at once."""
    lines = ["Host: h", *["a: b"] * (MAX_FIELDS - 1)]
    for first, read in (
        ("GET / HTTP/1.1", parse_request_head),
        ("HTTP/1.1 200 OK", parse_response_head),
    ):
        assert len(read("\r\n".join([first, *lines]).encode()).headers) == MAX_FIELDS
        with pytest.raises(HeadTooLarge):
            read("\r\n".join([first, *lines, "a: b"]).encode())


def test_a_target_has_a_length_that_is_read_soon() -> None:
    """Each byte of a query costs as much as 20 of a header line, before a key is looked for."""
    whole = "/" + "a" * (MAX_TARGET_BYTES - 1)
    assert parse_request_head(f"GET {whole} HTTP/1.1\r\nHost: h".encode()).target == whole
    with pytest.raises(TargetTooLong):
        parse_request_head(f"GET {whole}a HTTP/1.1\r\nHost: h".encode())


@table(
    ("value", "seconds"),
    [(b"7", 7.0), (b" 20 ", 20.0), (b"soon", None), (b"-1", None), (b"9" * 9, None), (b"", None)],
)
def test_pauses_are_whole_seconds(value: bytes, seconds: float | None) -> None:
    assert retry_after_s(((b"Retry-After", value),)) == seconds
    assert retry_after_s(()) is None
