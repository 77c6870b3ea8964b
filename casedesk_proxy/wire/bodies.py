"""Readers for bodies that end after a number of bytes or when the connection closes, besides
ChunkReader; and for compressed bodies, although nodes are asked not to compress.

All readers have the same interface: ``read`` takes the next bytes, returns how many of them belong
to the message, and puts their content into ``payload``; ``ended`` is whether the message is
complete.
"""

from __future__ import annotations

import zlib

from casedesk_proxy.wire.chunked import ChunkReader, MalformedChunk
from casedesk_proxy.wire.http1 import BodyFraming, ResponseHead

__all__ = [
    "BodyReader",
    "CloseReader",
    "DecodingReader",
    "LengthReader",
    "MalformedCoding",
    "body_reader",
    "is_opaque",
]

#: The most bytes that one read may expand to: 64 times as many as arrive at once. JSON shrinks 20
#: times at most; a decompression bomb shrinks 1000 times.
MAX_EXPANDED_BYTES = 16 * 1024 * 1024
#: The most gzip members that one read may contain: each costs a copy of the bytes after it.
MAX_MEMBERS = 64
#: By content coding (RFC 9110 section 8.4.1): zlib's window bits.
_WINDOW_BITS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}


class MalformedCoding(MalformedChunk):
    """The bytes inside the framing do not match their content coding, are incomplete, or expand
    beyond MAX_EXPANDED_BYTES."""


class LengthReader:
    """A body of exactly ``length`` bytes (Content-Length; 0 for replies that have none)."""

    __slots__ = ("_left", "ended", "payload")

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended = not length
        self.payload: list[bytes] = []

    def read(self, data: bytes) -> int:
        taken = min(len(data), self._left)
        self._left -= taken
        self.ended = not self._left
        self.payload = [data[:taken]] if taken else []
        return taken


class CloseReader:
    """A body that lasts until the node closes the connection."""

    __slots__ = ("payload",)

    def __init__(self) -> None:
        self.payload: list[bytes] = []

    @property
    def ended(self) -> bool:
        return False

    def read(self, data: bytes) -> int:
        self.payload = [data] if data else []
        return len(data)


class DecodingReader:
    """Decompresses a body (gzip, deflate). A body of any other coding is read as empty."""

    __slots__ = ("_begun", "_bits", "_coded", "_decoder", "payload")

    def __init__(self, coded: ChunkReader | LengthReader | CloseReader, coding: bytes) -> None:
        self._coded = coded
        self._bits = _WINDOW_BITS.get(coding)
        self._decoder = zlib.decompressobj(self._bits) if self._bits else None
        self._begun = False
        self.payload: list[bytes] = []

    @property
    def ended(self) -> bool:
        if isinstance(self._coded, CloseReader):
            # The coding marks its own end; without that mark the body was truncated.
            return self._decoder is not None and self._decoder.eof
        return self._coded.ended

    def read(self, data: bytes) -> int:
        """Raises MalformedChunk or MalformedCoding."""
        used = self._coded.read(data)
        coded, self.payload = b"".join(self._coded.payload), []
        decoder = self._decoder
        if decoder is None:
            return used
        if coded:
            self._decode(coded)
        if self._coded.ended and self._begun and not (self._decoder or decoder).eof:
            raise MalformedCoding("the compressed body was cut")
        return used

    def _decode(self, coded: bytes) -> None:
        if not self._begun and self._bits == 15 and coded[0] & 0x0F != zlib.DEFLATED:
            # Some servers send raw deflate data under that name, without zlib's header.
            self._decoder = zlib.decompressobj(-15)
        self._begun = True
        room = MAX_EXPANDED_BYTES
        for _ in range(MAX_MEMBERS):
            if not coded:
                return
            decoder = self._decoder
            assert decoder is not None
            if decoder.eof:  # gzip may have several members, RFC 1952 section 2.2
                decoder = self._decoder = zlib.decompressobj(self._bits or 31)
            try:
                part = decoder.decompress(coded, room)
            except zlib.error:
                raise MalformedCoding("the compressed body cannot be decoded") from None
            room -= len(part)
            if part:
                self.payload.append(part)
            if decoder.unconsumed_tail or room <= 0:
                raise MalformedCoding("the compressed body expands too much")
            coded = decoder.unused_data
        if coded:
            raise MalformedCoding("the compressed body has too many members")


BodyReader = ChunkReader | LengthReader | CloseReader | DecodingReader


def body_reader(head: ResponseHead) -> BodyReader:
    """The reader for a reply's body."""
    if head.body is BodyFraming.CHUNKED:
        reader: ChunkReader | LengthReader | CloseReader = ChunkReader()
    else:
        reader = CloseReader() if head.body is BodyFraming.CLOSE else LengthReader(head.length)
    return DecodingReader(reader, head.coding) if head.coding else reader


def is_opaque(head: ResponseHead) -> bool:
    """Whether a body is compressed with a coding that is not supported here."""
    return bool(head.coding) and head.coding not in _WINDOW_BITS
