"""Any split of an event stream gives the same events; only a too large event is an error."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.wire.sse import (
    COMMENT,
    EventDecoder,
    EventTooLarge,
    frame,
    google_frame,
    named_frame,
)
from tests.fixtures.table import table

CASES = {
    "one": (b"data: {}\n\n", [(b"", b"{}")]),
    "two in one read": (b"data: 1\n\ndata: 2\n\n", [(b"", b"1"), (b"", b"2")]),
    "crlf": (b"data: 1\r\n\r\ndata: 2\r\n\r\n", [(b"", b"1"), (b"", b"2")]),
    "cr": (b"data: 1\r\rdata: 2\r\r", [(b"", b"1"), (b"", b"2")]),
    "mixed": (b"data: 1\r\n\ndata: 2\n\r\ndata: 3\r\n\r", [(b"", b"1"), (b"", b"2"), (b"", b"3")]),
    "no space": (b"data:1\n\n", [(b"", b"1")]),
    "two spaces": (b"data:  1\n\n", [(b"", b" 1")]),
    "several lines": (b"data: 1\ndata\ndata: 2\n\n", [(b"", b"1\n\n2")]),
    "empty data": (b"data:\n\ndata: \n\nevent: x\ndata\n\ndata: 1\n\n", [(b"", b"1")]),
    "blank data": (b"data:  \n\ndata: \t \n\ndata:\ndata:\n\n", []),
    "a tab": (b"data: \t\n\n", []),
    "colons": (b"data: a:b\n\n", [(b"", b"a:b")]),
    "name": (b"event: x\ndata: 1\n\ndata: 2\n\n", [(b"x", b"1"), (b"", b"2")]),
    "empty name": (b"event: \ndata: 1\n\n", [(b"", b"1")]),
    "name of two spaces": (b"event:  x\ndata: 1\n\n", [(b" x", b"1")]),
    "name and two lines": (b"event: x\ndata: 1\ndata: 2\n\n", [(b"x", b"1\n2")]),
    "name and blank data": (b"event: x\ndata: \t\n\n", []),
    "two names": (b"event: x\nevent: y\ndata: 1\n\n", [(b"y", b"1")]),
    "named, then cr": (b"event: x\ndata: 1\rdata: 2\n\n", [(b"x", b"1\n2")]),
    "name without data": (b"event: x\n\ndata: 2\n\n", [(b"", b"2")]),
    "comments": (b":\n\n: ping\ndata: 1\n: pong\n\n:\n\n", [(b"", b"1")]),
    "id and retry": (b"id: 7\nretry: 10\ndata: 1\n\n", [(b"", b"1")]),
    "unknown field": (b"datum: 7\ndata: 1\n\n", [(b"", b"1")]),
    "byte order mark": (b"\xef\xbb\xbfdata: 1\n\n", [(b"", b"1")]),
    "mark later": (b"data: 1\n\n\xef\xbb\xbfdata: 2\n\n", [(b"", b"1")]),
    "blank lines": (b"\n\n\ndata: 1\n\n\n\n", [(b"", b"1")]),
    "raw separators": ("data: \u2028\u0085\n\n".encode(), [(b"", "\u2028\u0085".encode())]),
    "nothing": (b"", []),
}  # fmt: skip


def decode(pieces: list[bytes]) -> tuple[list[tuple[bytes, bytes]], EventDecoder]:
    decoder = EventDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)], decoder


@table(("stream", "wanted"), CASES.values(), ids=CASES)
def test_whole_and_byte_by_byte(stream: bytes, wanted: list[tuple[bytes, bytes]]) -> None:
    for pieces in ([stream], [bytes([byte]) for byte in stream]):
        events, decoder = decode(pieces)
        assert events == wanted
        assert decoder.at_boundary
        assert decoder.finish() == []


@table("stream", [case[0] for case in CASES.values()], ids=CASES)
def test_with_a_tail(stream: bytes) -> None:
    whole, _ = decode([stream])
    events, decoder = decode([stream, b"data: tail"])
    assert events == whole
    assert not decoder.at_boundary
    assert decoder.finish() == [(b"", b"tail")]
    assert decoder.at_boundary


def test_finish_gives_an_event_without_its_blank_line() -> None:
    decoder = EventDecoder()
    assert decoder.feed(b"event: x\ndata: 1\ndata: 2\n") == []
    assert not decoder.at_boundary
    assert decoder.finish() == [(b"x", b"1\n2")]


@given(
    st.lists(
        st.sampled_from(
            [
                b"data: ",
                b"data:",
                b"event: x",
                b"\n",
                b"\r",
                b"\r\n",
                b"\n\n",
                b": c",
                b"{}",
                b"\xef\xbb\xbf",
                b"data: {}\n\n",
                b"event: x\ndata: {}\n\n",
                b"\xff",
            ]
        ),
        max_size=30,
    ).map(b"".join),
    st.lists(st.integers(0, 200)),
)
def test_every_split_gives_the_same(stream: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    whole, one = decode([stream])
    split, two = decode(pieces)
    assert split == whole
    assert two.at_boundary == one.at_boundary
    assert two.finish() == one.finish()


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    _, decoder = decode(pieces)
    decoder.finish()
    assert decoder.at_boundary


@table(
    "pieces",
    [[b"data: " + b"x" * 99 + b"\n\n"], [b"data: "] + [b"x"] * 99, [b"data: 1234567\n"] * 9],
)
def test_a_large_event_is_refused(pieces: list[bytes]) -> None:
    decoder = EventDecoder(limit=64)
    with pytest.raises(EventTooLarge):
        for piece in pieces:
            decoder.feed(piece)
            decoder.feed(b"")


def test_many_small_events_are_not_one_large() -> None:
    decoder = EventDecoder(limit=64)
    assert len(decoder.feed(b"data: 1\n\n" * 1000)) == 1000


def test_frames_decode_to_themselves() -> None:
    events, _ = decode([google_frame(b"{}"), COMMENT, named_frame(b"ping", b"1")])
    assert events == [(b"", b"{}"), (b"ping", b"1")]
    assert frame(b"{}") == b"data: {}\n\n"
    assert google_frame(b"{}") == b"data: {}\r\n\r\n"
    assert named_frame(b"ping", b"1") == b"event: ping\ndata: 1\n\n"
