"""Received bytes that wait: heads and bodies taken from one piece, and how much more may come."""

from __future__ import annotations

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.fastpath.head_cache import HeadCache
from casedesk_proxy.server.incoming import Incoming, read_head
from casedesk_proxy.wire.http1 import MAX_HEAD_BYTES, parse_request_head
from tests.server.clients import FakeClient, request_of

HEAD = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5"


async def test_requests_are_taken_one_by_one() -> None:
    incoming = Incoming()
    incoming.add((HEAD + b"\r\n\r\nhello") * 2 + b"GET")
    for _ in range(2):
        assert incoming.take_head() == HEAD
        request = request_of(FakeClient(), HEAD + b"\r\n\r\n")
        incoming.feed(request)
        assert request.take(10) == b"hello"
    assert incoming.take_head() is None
    assert incoming.peek() == b"GET"
    incoming.add(b" / HTTP/1.1\r\n\r\n")
    assert incoming.take_head() == b"GET / HTTP/1.1"


async def test_empty_lines_before_a_request_are_passed_over() -> None:
    incoming = Incoming()
    incoming.add(b"\r\n\r\n")
    assert incoming.take_head() is None
    assert incoming.data == b""
    incoming.add(b"\r\n" + HEAD + b"\r\n\r\n")
    assert incoming.take_head() == HEAD


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"\x16\x03\x01\x02\x00", 400, "not_https"),
        (b"x" * (MAX_HEAD_BYTES + 1), 431, "invalid_request"),
        (b"x" * (MAX_HEAD_BYTES + 1) + b"\r\n\r\na body\n\n", 431, "invalid_request"),
        (b"GET / HTTP/1.1\nHost: h\n\n", 400, "invalid_request"),
    ],
)
async def test_what_cannot_become_a_head_is_refused(data: bytes, status: int, code: str) -> None:
    incoming = Incoming()
    incoming.add(data)
    with pytest.raises(BadRequest) as refused:
        incoming.take_head()
    assert (refused.value.status, refused.value.code) == (status, code)


def test_who_speaks_http2_is_told_so() -> None:
    heads = HeadCache(parse_request_head)
    with pytest.raises(BadRequest, match="turn HTTP/2 off") as refused:
        read_head(heads, b"PRI * HTTP/2.0")
    assert refused.value.code == "not_http2"


async def test_as_much_is_read_as_the_request_wants() -> None:
    incoming = Incoming()
    assert incoming.may_grow(None)
    request = request_of(
        FakeClient(), b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"
    )
    assert incoming.may_grow(request)
    request.feed(bytes(65_537))
    assert not incoming.may_grow(request), "nobody has asked for the body"


async def test_of_the_next_request_a_little_is_read() -> None:
    incoming = Incoming()
    served = request_of(FakeClient(), HEAD + b"\r\n\r\nhello")
    incoming.add(bytes(65_536))
    assert incoming.may_grow(served)
    incoming.add(b"x")
    assert not incoming.may_grow(served)
    assert not incoming.may_grow(None)


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (b"G@T / HTTP/1.1", 400),
        (b"GET / HTTP/1.1\r\n" + b"\r\n".join(b"x: y" for _ in range(5000)), 431),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: h", 414),
    ],
)
def test_a_head_that_is_none_is_the_clients_fault(block: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as refused:
        read_head(HeadCache(parse_request_head), block)
    assert refused.value.status == status
    assert refused.value.__context__ is None, "it would keep what was read alive"
