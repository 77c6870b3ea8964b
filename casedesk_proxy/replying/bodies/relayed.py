"""Replies in the client's own protocol: the node's bytes, in its framing or in another one."""

from __future__ import annotations

from casedesk_proxy.errors import ProxyError, StreamBroken
from casedesk_proxy.replying.bodies.base import Breach, ReplyBody, frame
from casedesk_proxy.replying.bodies.content import Content
from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.wire.bodies import BodyReader
from casedesk_proxy.wire.chunked import (
    HEADS,
    LAST_CHUNK,
    ChunkReader,
    MalformedChunk,
    frame_chunk,
)

__all__ = ["ReframedBody", "VerbatimBody", "recalled"]


def recalled(pieces: tuple[bytes, ...]) -> list[bytes]:
    """The payloads of reads that are exactly one chunk each, or as much of them as a tap keeps."""
    return [
        piece[piece.index(b"\n") + 1 : -2] if len(piece) < len(HEADS) else piece[-len(HEADS) : -2]
        for piece in pieces
        if piece
    ]


class _RelayedBody(ReplyBody):
    """Connects `Content` with the machine."""

    __slots__ = ("_content", "goes_ahead")

    def __init__(self, reader: BodyReader, content: Content, *, bare: bool = False) -> None:
        super().__init__(reader, bare=bare)
        self._content = content
        self.goes_ahead = True

    def judge(self, error: StreamBroken, *, unsent: bool) -> Breach | None:
        return self._content.judge(error, unsent=unsent)

    def keep_alive(self) -> bytes:
        return self._frame(self._content.keep_alive())

    def error_bytes(self, error: ProxyError) -> bytes:
        return self._frame(self._content.error_bytes(error, bare=self.bare))

    def is_answered(self) -> bool:
        return self._content.is_answered()

    def usage(self, dialect: Dialect) -> Usage:
        return self._content.tap.usage(dialect)

    def is_given_up(self, dialect: Dialect) -> bool:
        return self._content.is_given_up(dialect)

    def _frame(self, payload: bytes) -> bytes:
        return frame(payload, bare=self.bare)


class ReframedBody(_RelayedBody):
    """The client needs another framing than the node's: chunks where the node just closes, or
    bare bytes for an HTTP/1.0 client."""

    __slots__ = ()

    def take(self, data: bytes, used: int, *, unsent: bool) -> bytes:
        payload = self._content.take(b"".join(self.reader.payload), unsent=unsent)
        return self._frame(payload)

    def finish(self, *, unsent: bool) -> bytes | Breach:
        self._content.check_complete()
        return b"" if self.bare else LAST_CHUNK


class VerbatimBody(_RelayedBody):
    """Node and client have the same framing: the client gets the node's very bytes."""

    __slots__ = ("_is_incomplete", "_most", "_withheld")

    def __init__(self, reader: BodyReader, content: Content) -> None:
        super().__init__(reader, content)
        #: Reads on the fast path are shorter than this.
        self._most = 0 if content.is_watchful else len(HEADS)
        #: The message's end has come too early, and was not sent.
        self._is_incomplete = False
        #: Whether something may be sent in its place.
        self._withheld = False

    @property
    def _is_between_chunks(self) -> bool:
        return isinstance(self.reader, ChunkReader) and self.reader.at_boundary

    @property
    def fast_path_limit(self) -> int:
        return self._most if self._is_between_chunks else 0

    def take(self, data: bytes, used: int, *, unsent: bool) -> bytes:
        reader = self.reader
        payload = b"".join(reader.payload)
        self._content.take(payload, unsent=unsent)
        if reader.ended and not self._content.is_complete():
            self._is_incomplete = True
            return self._withhold_end(data[:used], payload)
        if isinstance(reader, ChunkReader) and reader.trailer_at is not None:
            # A node's trailers would be headers that were never checked.
            return data[: reader.trailer_at] + (b"\r\n" if reader.ended else b"")
        return data[:used]

    def lets_by(self, chunk: bytes) -> bool:
        if self._content.has_begun:
            self._content.recall(recalled((chunk,)), missed=False)
        return self._content.has_begun

    def recall(self, reads: int, pieces: tuple[bytes, ...]) -> None:
        self._content.recall(recalled(pieces), missed=reads > len(pieces))

    def finish(self, *, unsent: bool) -> bytes | Breach:
        """If the node has not ended the message, the proxy ends it for the client."""
        if unsent or self._is_incomplete:
            self._content.check_complete()
        return b"" if self.reader.ended else LAST_CHUNK

    def is_answered(self) -> bool:
        """Only if the message can be ended in the node's place."""
        return self._content.is_answered() and self._is_between_chunks

    def _withhold_end(self, data: bytes, payload: bytes) -> bytes:
        """The last read, with the message's end, is not sent unchanged; but its events are, if it
        began with a chunk, and an error can follow them."""
        again = ChunkReader()
        try:
            self._withheld = again.read(data) == len(data) and again.ended
        except MalformedChunk:
            return b""
        return frame_chunk(payload) if self._withheld and payload else b""

    def _frame(self, payload: bytes) -> bytes:
        fits = self._is_between_chunks or self._withheld
        return frame_chunk(payload) if payload and fits else b""
