"""Compressed bodies: decoded as they arrive, whole or refused, within a bound."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.wire.bodies import (
    MAX_EXPANDED_BYTES,
    CloseReader,
    DecodingReader,
    LengthReader,
    MalformedCoding,
    body_reader,
    is_opaque,
)
from casedesk_proxy.wire.chunked import LAST_CHUNK, ChunkReader, frame_chunk
from casedesk_proxy.wire.http1 import parse_response_head
from tests.fixtures.table import table


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


CODINGS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"gzip", gzip.compress),
    "x-gzip": (b"x-gzip", gzip.compress),
    "deflate": (b"deflate", zlib.compress),
    "deflate without its header": (b"deflate", raw_deflate),
}
FRAMINGS = ("length", "chunked", "close")


def framed(coded: bytes, framing: str, coding: bytes) -> tuple[DecodingReader, bytes]:
    if framing == "length":
        return DecodingReader(LengthReader(len(coded)), coding), coded
    if framing == "close":
        return DecodingReader(CloseReader(), coding), coded
    half = len(coded) // 2
    pieces = [piece for piece in (coded[:half], coded[half:]) if piece]
    wire = b"".join(map(frame_chunk, pieces)) + LAST_CHUNK
    return DecodingReader(ChunkReader(), coding), wire


def read(reader: DecodingReader, wire: bytes, size: int) -> bytes:
    body = b""
    for at in range(0, len(wire), size):
        piece = wire[at : at + size]
        assert reader.read(piece) == len(piece)
        body += b"".join(reader.payload)
    return body


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize(("coding", "compress"), CODINGS.values(), ids=CODINGS)
@given(data=st.binary(max_size=300), size=st.integers(1, 400))
def test_any_split_gives_what_was_compressed(
    framing: str, coding: bytes, compress: Callable[[bytes], bytes], data: bytes, size: int
) -> None:
    reader, wire = framed(compress(data), framing, coding)
    assert not reader.ended
    assert read(reader, wire, size) == data
    assert reader.ended


def test_several_members_are_one_body() -> None:
    coded = gzip.compress(b"one ") + gzip.compress(b"two")
    reader, wire = framed(coded, "chunked", b"gzip")
    assert read(reader, wire, 7) == b"one two"


def test_members_without_end_are_not_followed() -> None:
    reader, wire = framed(gzip.compress(b"x") * 64, "length", b"gzip")
    assert read(reader, wire, len(wire)) == b"x" * 64
    reader, wire = framed(gzip.compress(b"x") * 65, "length", b"gzip")
    with pytest.raises(MalformedCoding, match="members"):
        reader.read(wire)


@table("cut", [1, 8, 12])
@table("framing", ["length", "chunked"])
def test_a_cut_body_is_not_whole(framing: str, cut: int) -> None:
    reader, wire = framed(gzip.compress(b"x" * 50)[:-cut], framing, b"gzip")
    with pytest.raises(MalformedCoding, match="cut"):
        read(reader, wire, 5)


def test_a_body_that_the_connection_ends_knows_its_own_end() -> None:
    reader, wire = framed(gzip.compress(b"hello"), "close", b"gzip")
    read(reader, wire[:-1], 4)
    assert not reader.ended
    reader.read(wire[-1:])
    assert reader.ended


@table("coding", [b"gzip", b"deflate"])
def test_what_is_not_compressed(coding: bytes) -> None:
    reader, wire = framed(b'{"a": 1, "b": "words"}', "length", coding)
    with pytest.raises(MalformedCoding):
        read(reader, wire, 64)


def test_a_body_made_to_fill_the_memory() -> None:
    bomb = gzip.compress(bytes(MAX_EXPANDED_BYTES + 1))
    reader, wire = framed(bomb, "length", b"gzip")
    assert len(wire) < 20_000
    with pytest.raises(MalformedCoding, match="expands"):
        reader.read(wire)


def test_an_empty_body_needs_no_coding() -> None:
    assert DecodingReader(LengthReader(0), b"gzip").ended
    reader, wire = framed(b"", "chunked", b"gzip")
    assert read(reader, wire, 2) == b""


@table(
    ("value", "coding", "opaque"),
    [
        (None, b"", False),
        (b"identity", b"", False),
        (b"GZIP", b"gzip", False),
        (b"br", b"br", True),
        (b"zstd", b"zstd", True),
        (b"gzip, gzip", b"gzip, gzip", True),
    ],
)
def test_which_codings_there_are(value: bytes | None, coding: bytes, opaque: bool) -> None:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: 3"]
    lines += [b"Content-Encoding: " + value] if value is not None else []
    head = parse_response_head(b"\r\n".join(lines))
    assert head.coding == coding
    assert is_opaque(head) is opaque
    reader = body_reader(head)
    assert isinstance(reader, DecodingReader) is bool(coding)
    if opaque:
        assert reader.read(b"\x01\x02\x03") == 3
        assert (reader.payload, reader.ended) == ([], True)
