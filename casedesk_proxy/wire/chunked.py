"""Chunked framing (RFC 9112 section 7.1): finds where a message ends, and its content.

The end must be found exactly: a chunk may contain bytes that look like a terminator, and reads
split anywhere. Chunk extensions and trailers are accepted up to a limit. Sizes are plain hex
digits, lines end in CRLF, and nothing else is accepted: framing that two parsers could read
differently must not reach a client.
"""

from __future__ import annotations

import re
from enum import IntEnum

__all__ = [
    "HEADS",
    "HEAD_PARTS",
    "LAST_CHUNK",
    "MAX_CHUNKS",
    "ChunkReader",
    "MalformedChunk",
    "frame_chunk",
    "is_long_chunk",
]

LAST_CHUNK = b"0\r\n\r\n"

#: The longest size line, extensions included, and the longest trailer section, in bytes.
MAX_LINE_BYTES = 4096
MAX_TRAILER_BYTES = 8192

#: The most chunks that one ``read`` takes, so that a peer that sends one byte in each chunk costs
#: no more than half a millisecond of a round of the loop; reads of a reply's tokens rarely hold
#: more than 50.
MAX_CHUNKS = 512

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*")


class MalformedChunk(ValueError):
    """The bytes are not chunked framing."""


#: The chunk that ends most streams (OpenAI's last event). Its size is not in HEADS, so that a
#: reader that skips the parsing of whole chunks still examines this one, and hardly any other.
_LAST_EVENT = b"e\r\ndata: [DONE]\n\n\r\n"


def _heads(most: int) -> tuple[bytes, ...]:
    """For each length n of a read: the size line that makes it exactly one chunk, else a
    byte string that no read starts with."""
    heads = [b"\xff" * (most + 1)] * most
    for size in range(1, most):
        head = b"%x\r\n" % size
        length = len(head) + size + 2
        if length < most:
            heads[length] = head
    heads[len(_LAST_EVENT)] = heads[0]
    return tuple(heads)


#: Almost every read from a node is exactly one chunk. Such a read of n bytes starts with HEADS[n]
#: and ends in CRLF; that check costs a twentieth of reading it with `ChunkReader`.
HEADS = _heads(8400)
#: The part of such a read that must equal its head. Comparing a slice that is prepared here takes
#: two thirds of the instructions of ``startswith`` (bench/NOTES.md).
HEAD_PARTS = tuple(map(slice, map(len, HEADS)))


def is_long_chunk(data: bytes) -> bool:
    """Whether a read whose length is not in HEADS is exactly one chunk."""
    length, digits = len(data), data.find(b"\r", 0, 12)
    return (
        length >= len(HEADS)
        and data.startswith(b"%x\r\n" % (length - max(digits, 0) - 4))
        and data.endswith(b"\r\n")
    )


def frame_chunk(payload: bytes) -> bytes:
    """One chunk. ``payload`` must not be empty: an empty chunk would end the message."""
    assert payload
    return b"%x\r\n%b\r\n" % (len(payload), payload)


class _At(IntEnum):
    SIZE = 0
    DATA = 1
    DATA_END = 2
    TRAILER = 3
    END = 4


class ChunkReader:
    """Follows one chunked body through arbitrary reads.

    ``read`` returns how many bytes of the read belong to the message, or stops after MAX_CHUNKS;
    the caller passes the rest again in another round of the loop. ``ended`` is whether the message
    is complete, ``between`` whether the next byte starts a size line. Raises MalformedChunk for
    malformed framing; the reader must not be used after that.
    """

    __slots__ = ("_at", "_left", "_line", "_trailer", "payload", "trailer_at")

    def __init__(self) -> None:
        self._at = _At.SIZE
        self._left = 0
        self._line = b""
        self._trailer = 0
        #: The content of the latest ``read``, without size lines and CRLFs.
        self.payload: list[bytes] = []
        #: The end of the last chunk's line in the latest ``read``; only trailers and the empty line
        #: follow it. None before that.
        self.trailer_at: int | None = None

    @property
    def ended(self) -> bool:
        return self._at is _At.END

    @property
    def at_boundary(self) -> bool:
        return self._at is _At.SIZE and not self._line

    def read(self, data: bytes, start: int = 0) -> int:
        """Take ``data`` from ``start`` on; return how many of these bytes belong to the message."""
        self.payload = []
        position, end, left = start, len(data), MAX_CHUNKS
        if self._at is _At.TRAILER:
            self.trailer_at = start
        while position < end and left > 0 and self._at is not _At.END:
            if self._at is _At.DATA:
                position = self._read_data(data, position)
            elif self._at is _At.SIZE and not self._line:
                position, left = self._read_whole(data, position, left)
            else:
                position = self._read_line(data, position)
            if self._at is _At.TRAILER and self.trailer_at is None:
                self.trailer_at = position
        return position - start

    def _read_whole(self, data: bytes, position: int, left: int) -> tuple[int, int]:
        """Chunks that are complete in ``data``, and the size line of the chunk that follows
        them."""
        payload, end = self.payload, len(data)
        while left > 0:
            size_line = _SIZE.match(data, position)
            if size_line is None:
                return self._read_line(data, position), left
            size, begin = int(size_line[1], 16), size_line.end()
            if begin - position > MAX_LINE_BYTES:
                raise MalformedChunk("line too long")
            stop = begin + size
            if not size or stop + 2 > end:
                self._left = size
                self._at = _At.DATA if size else _At.TRAILER
                return begin, left
            if data[stop : stop + 2] != b"\r\n":
                raise MalformedChunk("no CRLF after chunk data")
            payload.append(data[begin:stop])
            position = stop + 2
            left -= 1
        return position, left

    def _read_data(self, data: bytes, position: int) -> int:
        stop = min(position + self._left, len(data))
        self.payload.append(data[position:stop])
        self._left -= stop - position
        if not self._left:
            self._at = _At.DATA_END
        return stop

    def _read_line(self, data: bytes, position: int) -> int:
        newline = data.find(b"\n", position)
        stop = len(data) if newline < 0 else newline + 1
        self._line += data[position:stop]
        if len(self._line) > MAX_LINE_BYTES:
            raise MalformedChunk("line too long")
        if newline < 0:
            self._check_partial()
            return stop
        line, self._line = self._line, b""
        if not line.endswith(b"\r\n"):
            raise MalformedChunk("line ends without CR")
        self._take_line(line)
        return stop

    def _check_partial(self) -> None:
        """Fail early: only CRLF may follow a chunk's data."""
        if self._at is _At.DATA_END and self._line != b"\r":
            raise MalformedChunk("no CRLF after chunk data")

    def _take_line(self, line: bytes) -> None:
        if self._at is _At.SIZE:
            match = _SIZE.fullmatch(line)
            if match is None:
                raise MalformedChunk("not a chunk size")
            self._left = int(match[1], 16)
            self._at = _At.DATA if self._left else _At.TRAILER
        elif self._at is _At.DATA_END:
            if line != b"\r\n":
                raise MalformedChunk("no CRLF after chunk data")
            self._at = _At.SIZE
        elif line == b"\r\n":
            self._at = _At.END
        else:
            self._trailer += len(line)
            if self._trailer > MAX_TRAILER_BYTES or not _TRAILER.fullmatch(line, 0, len(line) - 2):
                raise MalformedChunk("bad trailer")
