"""A repeated head gives the same values as a parsed one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.fastpath.head_cache import MAX_HEAD_BYTES, MAX_HEADS, HeadCache
from casedesk_proxy.fastpath.switches import Trick, turn_off
from casedesk_proxy.wire.http1 import (
    MalformedMessage,
    RequestHead,
    ResponseHead,
    parse_request_head,
    parse_response_head,
)
from tests.fixtures.table import table

ASKED = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nAccept: */*"
TOLD = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\ncontent-length: 7"

HOSTILE = [
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: \r\nAccept: */*",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5 \r\nAccept: */*",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\nAccept: */*",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 6\r\nAccept: */*",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1234567890123456\r\nAccept: */*",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\nAccept: */*",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nAccept: *\r\nTransfer-Encoding: chunked",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\nAccept: */*",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5",
    b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\nAccept: */*",
    b"POST /y HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nAccept: */*",
    b"POST /x HTTP/1.0\r\nHost: h\r\nContent-Length: 5\r\nAccept: */*",
]


def either(read, block: bytes) -> RequestHead | ResponseHead | str:
    try:
        return read(block)
    except MalformedMessage as error:
        return str(error)


@table("length", [0, 5, 12, 999_999_999])
def test_another_length_shares_everything_else(length: int) -> None:
    heads = HeadCache(parse_request_head)
    first = heads.read(ASKED)
    again = heads.read(ASKED.replace(b": 5", b": %d" % length))
    assert again.headers is first.headers
    assert again.target is first.target
    assert (again.length, again.body, again.keep_alive) == (length, first.body, True)


def test_the_same_head_is_the_same_object() -> None:
    heads = HeadCache(parse_response_head)
    first = heads.read(TOLD)
    assert heads.read(bytes(bytearray(TOLD))) is first


def test_heads_of_several_peers_are_told_apart() -> None:
    heads = HeadCache(parse_request_head)
    others = [ASKED.replace(b"Host: h", b"Host: h%d" % number) for number in range(5)]
    first = [heads.read(block) for block in others]
    for block, known in zip(others, first, strict=True):
        again = heads.read(block.replace(b": 5", b": 6"))
        assert again.headers is known.headers
        assert again.length == 6
        assert again == known.with_length(6)


def test_so_many_are_remembered_and_no_long_ones() -> None:
    heads = HeadCache(parse_request_head)
    first = heads.read(ASKED)
    for number in range(MAX_HEADS - 1):
        heads.read(ASKED.replace(b"Host: h", b"Host: h%d" % number))
    assert heads.read(ASKED).headers is first.headers
    heads.read(ASKED.replace(b"Host: h", b"Host: one-more"))
    assert heads.read(ASKED).headers is not first.headers
    long = ASKED + b"\r\nX: " + b"x" * MAX_HEAD_BYTES
    known = heads.read(long)
    heads.read(ASKED)
    assert heads.read(long).headers is not known.headers


@table("block", HOSTILE)
def test_what_only_resembles_it_is_parsed(block: bytes) -> None:
    heads = HeadCache(parse_request_head)
    heads.read(ASKED)
    assert either(heads.read, block) == either(parse_request_head, block)


@table("status_line", [b"HTTP/1.1 304 Not Modified", b"HTTP/1.1 204 No Content"])
def test_a_length_that_is_no_body_s(status_line: bytes) -> None:
    heads = HeadCache(parse_response_head)
    for length in (b"7", b"8"):
        assert heads.read(status_line + b"\r\ncontent-length: " + length).length == 0


@given(st.lists(st.sampled_from([ASKED, *HOSTILE]), max_size=8), st.data())
def test_any_sequence_reads_as_without_memory(blocks: list[bytes], data: st.DataObject) -> None:
    heads = HeadCache(parse_request_head)
    for block in blocks:
        at = data.draw(st.integers(0, len(block)))
        block = block[:at] + data.draw(st.binary(max_size=3)) + block[at:]
        known, plain = either(heads.read, block), either(parse_request_head, block)
        if isinstance(known, RequestHead) and isinstance(plain, RequestHead):
            same = [(n, v) for n, v in known.headers if n.lower() != b"content-length"]
            assert same == [(n, v) for n, v in plain.headers if n.lower() != b"content-length"]
            assert known.with_length(plain.length).body is plain.body
            assert (known.length, known.target, known.keep_alive, known.method) == (
                plain.length, plain.target, plain.keep_alive, plain.method,
            )  # fmt: skip
        else:
            assert known == plain


def test_turned_off_it_remembers_nothing() -> None:
    before = turn_off([Trick.HEADS])
    heads = HeadCache(parse_request_head)
    turn_off(before)
    first = heads.read(ASKED)
    assert heads.read(ASKED) is not first
    assert heads.read(ASKED) == first
