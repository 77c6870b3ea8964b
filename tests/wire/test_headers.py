"""Which header lines are forwarded, in both directions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.terms import Dialect, RawHeaders
from casedesk_proxy.wire.headers import (
    accept_request_id,
    forward_request_headers,
    forward_response_headers,
    node_credential,
)
from tests.fixtures.table import table


def one(name: bytes, value: bytes = b"v") -> RawHeaders:
    return ((name, value),)


@table(
    "name",
    [
        b"anthropic-version", b"Anthropic-Beta", b"User-Agent", b"accept", b"Content-Type",
        b"traceparent", b"TraceState", b"X-Request-Id", b"x-goog-api-client", b"X-Goog-Foo",
        b"x-goog-request-params", b"X-Goog-Upload-Protocol", b"x-goog-", b"X-GOOG-API-KEYS",
    ],
)  # fmt: skip
def test_to_node(name: bytes) -> None:
    assert forward_request_headers(one(name)) == [(name, b"v")]


@table(
    "name",
    [
        b"Authorization", b"x-goog-api-key", b"X-Goog-Api-Key", b"x-api-key", b"Cookie", b"Host",
        b"Content-Length", b"Transfer-Encoding", b"Connection", b"Keep-Alive", b"TE", b"Trailer",
        b"Upgrade", b"Expect", b"Accept-Encoding", b"Origin", b"Forwarded", b"X-Forwarded-For",
        b"x-stainless-lang", b"Proxy-Authorization", b"x-google", b"anthropic-versions", b"",
    ],
)  # fmt: skip
def test_not_to_node(name: bytes) -> None:
    assert forward_request_headers(one(name)) == []


def test_order_case_and_doubles_are_kept() -> None:
    headers = (
        (b"X-Goog-B", b"1"),
        (b"Host", b"h"),
        (b"anthropic-beta", b"a"),
        (b"x-goog-b", b""),
        (b"Anthropic-Beta", b"\xc3\xa4, b"),
    )
    assert forward_request_headers(headers) == [headers[0], *headers[2:]]


def test_what_connection_names_stays_here() -> None:
    headers = (
        (b"x-goog-a", b"1"),
        (b"Connection", b"close, X-Goog-A"),
        (b"connection", b"Accept"),
        (b"Accept", b"*/*"),
        (b"x-goog-b", b"2"),
    )
    assert forward_request_headers(headers) == [(b"x-goog-b", b"2")]
    assert forward_response_headers(headers) == [(b"x-goog-b", b"2")]


@table(
    "name",
    [
        b"Content-Type", b"Date", b"Retry-After", b"anthropic-ratelimit-requests-limit",
        b"x-goog-upload-url", b"ETag", b"request-id", b"openai-processing-ms",
        b"X-Accel-Buffering", b"Via", b"Vary",
    ],
)  # fmt: skip
def test_to_client(name: bytes) -> None:
    assert forward_response_headers(one(name)) == [(name, b"v")]


@table(
    "name",
    [
        b"Connection", b"Keep-Alive", b"Proxy-Authenticate", b"TE", b"Trailer", b"Upgrade",
        b"Transfer-Encoding", b"Content-Length", b"Set-Cookie", b"set-cookie2", b"Server",
        b"Access-Control-Allow-Origin", b"access-control-max-age", b"Alt-Svc", b"X-Request-ID",
        b"Location", b"Strict-Transport-Security", b"Proxy-Connection", b"Content-Encoding",
        b"X-Accel-Redirect", b"x-sendfile", b"X-LIGHTTPD-send-file", b"X-Reproxy-URL",
    ],
)  # fmt: skip
def test_not_to_client(name: bytes) -> None:
    assert forward_response_headers(one(name)) == []


@table(
    ("name", "value"),
    [
        (b"x-goog-a", b"b\r\nHost: evil"),
        (b"x-goog-a", b"b\nc"),
        (b"x-goog-a", b"\0"),
        (b"x-goog-a\r\nHost", b"evil"),
        (b"x-goog-a b", b"c"),
        (b"x-goog-a:", b"c"),
        (b"x-goog-\xe4", b"c"),
    ],
)
def test_nothing_breaks_out(name: bytes, value: bytes) -> None:
    assert forward_request_headers(one(name, value)) == []
    assert forward_response_headers(one(name, value)) == []


@table(
    ("dialect", "line"),
    [
        (Dialect.GEMINI, (b"x-goog-api-key", b"k")),
        (Dialect.ANTHROPIC, (b"x-api-key", b"k")),
        (Dialect.OPENAI, (b"Authorization", b"Bearer k")),
    ],
)
def test_node_credential(dialect: Dialect, line: tuple[bytes, bytes]) -> None:
    assert node_credential(dialect, "k") == line
    assert node_credential(dialect, " k\n") == line
    with pytest.raises(ValueError, match="line break") as caught:
        node_credential(dialect, "secret\r\nHost: x")
    assert "secret" not in str(caught.value)


@table(
    ("headers", "wanted"),
    [
        ((), None),
        (one(b"X-Request-ID", b"abc-1"), "abc-1"),
        (one(b"x-request-id", b"a" * 128), "a" * 128),
        (one(b"x-request-id", b"a" * 129), None),
        (one(b"x-request-id", b""), None),
        (one(b"x-request-id", b"a b"), None),
        (one(b"x-request-id", b"a\nb"), None),
        (one(b"x-request-id", b"\xc3\xa4"), None),
        (one(b"request-id", b"a"), None),
        (((b"x-request-id", b""), (b"x-request-id", b"b")), "b"),
    ],
)
def test_request_id(headers: RawHeaders, wanted: str | None) -> None:
    assert accept_request_id(headers) == wanted
    kept = [value.decode() for _, value in forward_request_headers(headers)]
    assert kept == ([wanted] if wanted else [])


names = st.one_of(
    st.sampled_from([b"x-goog-a", b"Connection", b"X-Goog-Api-Key", b"accept", b"Server", b"Te"]),
    st.binary(max_size=12),
)
lines = st.lists(st.tuples(names, st.binary(max_size=12)), max_size=8).map(tuple)


@given(lines)
def test_forwarded_is_a_clean_part_in_order(headers: RawHeaders) -> None:
    for kept in (forward_request_headers(headers), forward_response_headers(headers)):
        rest = iter(headers)
        assert all(line in rest for line in kept)
        written = b"".join(name + b": " + value + b"\r\n" for name, value in kept)
        assert written.count(b"\n") == written.count(b"\r") == len(kept)
        assert b"\0" not in written
        assert not any(name.lower() in (b"connection", b"te") for name, _ in kept)
