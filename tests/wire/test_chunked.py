"""Any split of a chunked message is followed exactly; anything else is refused."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.wire.chunked import (
    HEADS,
    LAST_CHUNK,
    MAX_CHUNKS,
    MAX_TRAILER_BYTES,
    ChunkReader,
    MalformedChunk,
    frame_chunk,
    is_long_chunk,
)
from tests.fixtures.table import table

PAYLOADS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=300),
        st.sampled_from([b"0\r\n\r\n", b"\r\n", b"5\r\n", b"\r\n0\r\n\r\n", b"\n", b"\r"]),
    ),
    max_size=8,
)
EXTENSIONS = st.sampled_from([b"", b";a=b", b' ; quoted="x"', b";flag", b"  "])
TRAILERS = st.sampled_from([b"", b"x-checksum: 1\r\n", b"a: 1\r\nb: \r\n"])


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, bytes]:
    payloads = draw(PAYLOADS)
    wire = b"".join(
        draw(st.sampled_from([b"%x", b"%X", b"0%x"])) % len(piece)
        + draw(EXTENSIONS)
        + b"\r\n"
        + piece
        + b"\r\n"
        for piece in payloads
    )
    return wire + b"0" + draw(EXTENSIONS) + b"\r\n" + draw(TRAILERS) + b"\r\n", b"".join(payloads)


def read_all(pieces: list[bytes]) -> tuple[bytes, int, ChunkReader]:
    reader, body, used = ChunkReader(), b"", 0
    for piece in pieces:
        used += reader.read(piece)
        body += b"".join(reader.payload)
    return body, used, reader


@given(messages(), st.lists(st.integers(0, 3000)), st.binary(max_size=20))
def test_every_split_gives_the_body_and_the_exact_end(
    message: tuple[bytes, bytes], cuts: list[int], tail: bytes
) -> None:
    wire, wanted = message
    stream = wire + tail
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    body, used, reader = read_all(pieces)
    assert reader.ended
    assert body == wanted
    assert used == len(wire)


@given(messages())
def test_byte_by_byte_ends_with_the_last_byte_only(message: tuple[bytes, bytes]) -> None:
    wire, _ = message
    reader = ChunkReader()
    for position in range(len(wire)):
        assert not reader.ended
        assert reader.read(wire[position : position + 1]) == 1
    assert reader.ended


@given(st.binary(max_size=200))
def test_any_bytes_are_followed_or_refused(garbage: bytes) -> None:
    reader = ChunkReader()
    try:
        used = reader.read(garbage)
    except MalformedChunk:
        return
    assert used == len(garbage) or reader.ended


@table(
    "wire",
    [
        b"\r\n", b"g\r\n", b"-1\r\n", b"+5\r\nhello\r\n", b"0x5\r\nhello\r\n", b" 5\r\nhello\r\n",
        b"5\nhello\n", b"5\r\nhelloX", b"5\r\nhello\n", b"5\r\nhello\rX", b"fffffffffffff\r\n",
        b"5;a\x00\r\n", b"0\r\nbad trailer\r\n\r\n", b"0\r\n" + b"a: b\r\n" * 3000, b"1" * 5000,
        b"5\r\nhello5\r\nhello\r\n", b"5;" + b"a" * 5000 + b"\r\nhello\r\n",
    ],
)  # fmt: skip
def test_malformed_framing_is_refused_whole_and_byte_by_byte(wire: bytes) -> None:
    with pytest.raises(MalformedChunk):
        ChunkReader().read(wire)
    reader = ChunkReader()
    with pytest.raises(MalformedChunk):
        for position in range(len(wire)):
            reader.read(wire[position : position + 1])


def test_trailers_have_a_limit() -> None:
    line = b"a: " + b"x" * 1019 + b"\r\n"
    most = MAX_TRAILER_BYTES // len(line)
    assert most * len(line) == MAX_TRAILER_BYTES
    reader = ChunkReader()
    reader.read(b"0\r\n" + line * most + b"\r\n")
    assert reader.ended
    with pytest.raises(MalformedChunk, match="bad trailer"):
        ChunkReader().read(b"0\r\n" + line * most + b"a:\r\n")


def test_a_line_instead_of_the_end_of_a_chunk_is_refused() -> None:
    reader = ChunkReader()
    reader.read(b"5\r\nhello")
    with pytest.raises(MalformedChunk, match="no CRLF"):
        reader.read(b"more\r\n")


def test_between_only_at_a_size_line() -> None:
    reader = ChunkReader()
    seen = []
    for byte in b"1\r\nx\r\n0\r\n\r\n":
        seen.append(reader.at_boundary)
        reader.read(bytes([byte]))
    assert seen == [True] + [False] * 5 + [True] + [False] * 4
    assert not reader.at_boundary


@given(st.binary(min_size=1, max_size=2100))
def test_heads_know_a_read_that_is_one_chunk(payload: bytes) -> None:
    wire = frame_chunk(payload)
    if len(wire) < len(HEADS) and len(payload) != len(b"data: [DONE]\n\n"):
        assert wire.startswith(HEADS[len(wire)])


@table("size", [8387, 8390, 8391, 65525, 65535, 65536, 2**20 - 1, 2**20])
def test_a_long_read_that_is_one_chunk(size: int) -> None:
    wire = frame_chunk(bytes(size))
    assert is_long_chunk(wire) is (len(wire) >= len(HEADS))
    for other in (wire[:-1], wire[1:], wire + b"0\r\n\r\n", b"0" + wire, wire[:-2] + b"\0\0"):
        assert not is_long_chunk(other)


def test_the_last_event_of_a_stream_takes_the_long_way() -> None:
    wire = frame_chunk(b"data: [DONE]\n\n")
    assert not wire.startswith(HEADS[len(wire)])


def test_heads_match_no_read_of_several_chunks() -> None:
    for first in range(1, 40):
        for second in range(40):
            wire = frame_chunk(b"a" * first)
            wire += frame_chunk(b"b" * second) if second else LAST_CHUNK
            assert not wire.startswith(HEADS[len(wire)])
    assert not LAST_CHUNK.startswith(HEADS[len(LAST_CHUNK)])
    assert not b"".startswith(HEADS[0])


@table("size", [b"1", b"1;x=y", b"0001"])
@table("ahead", [b"", b"5", b"5\r\nhel"])
def test_a_read_takes_so_many_chunks_and_no_more(size: bytes, ahead: bytes) -> None:
    """A client that sends one byte in each chunk must not take more of a round than others."""
    crumb = size + b"\r\nx\r\n"
    wire = b"5\r\nhello\r\n" + crumb * 3 * MAX_CHUNKS + LAST_CHUNK
    reader, body, turns = ChunkReader(), b"", 0
    position = reader.read(ahead)
    body += b"".join(reader.payload)
    while not reader.ended:
        position += reader.read(wire, position)
        assert len(reader.payload) <= MAX_CHUNKS + 1
        body += b"".join(reader.payload)
        turns += 1
    assert position == len(wire)
    assert body == b"hello" + b"x" * 3 * MAX_CHUNKS
    assert turns == 4
