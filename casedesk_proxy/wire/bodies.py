"""Bodies whose end is a count of bytes, or the connection's end: readers beside ChunkReader.

All three readers have the same face: ``read`` takes the next bytes, says how many are the
message's and leaves what they carried in ``payload``; ``ended`` tells whether it is complete.
"""

from __future__ import annotations

from casedesk_proxy.wire.chunked import ChunkReader
from casedesk_proxy.wire.http1 import Body, ResponseHead

__all__ = ["BodyReader", "CloseReader", "LengthReader", "body_reader"]


class LengthReader:
    """A body of exactly ``length`` bytes (Content-Length; 0 for replies that have none)."""

    __slots__ = ("_left", "payload")

    def __init__(self, length: int) -> None:
        self._left = length
        self.payload: list[bytes] = []

    @property
    def ended(self) -> bool:
        return self._left == 0

    def read(self, data: bytes) -> int:
        taken = min(len(data), self._left)
        self._left -= taken
        self.payload = [data[:taken]] if taken else []
        return taken


class CloseReader:
    """A body that lasts until the node closes: only the connection can tell its end."""

    __slots__ = ("payload",)

    def __init__(self) -> None:
        self.payload: list[bytes] = []

    @property
    def ended(self) -> bool:
        return False

    def read(self, data: bytes) -> int:
        self.payload = [data] if data else []
        return len(data)


BodyReader = ChunkReader | LengthReader | CloseReader


def body_reader(head: ResponseHead) -> BodyReader:
    """The reader for a reply's body."""
    if head.body is Body.CHUNKED:
        return ChunkReader()
    return CloseReader() if head.body is Body.CLOSE else LengthReader(head.length)
