"""The relay of a reply whose framing the client shares: the node's very bytes, and the hot path."""

from __future__ import annotations

import asyncio

from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.relay.relay import Ending, Relay
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.bodies import BodyReader
from casedesk_proxy.wire.chunked import (
    HEADS,
    LAST_CHUNK,
    ChunkReader,
    MalformedChunk,
    frame_chunk,
)

__all__ = ["VerbatimRelay"]


class VerbatimRelay(Relay):
    """Node and client share the framing: the client gets the node's very bytes.

    ``watchful``: the tap has to see every piece as it goes by, not only the first and the last.
    """

    __slots__ = (
        "_last_but_one",
        "_last_but_two",
        "_latest",
        "_most",
        "_room",
        "_seen",
        "_withheld",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: asyncio.Transport,
        head: bytes,
        reader: BodyReader,
        tap: Tap,
        ending: Ending,
        *,
        watchful: bool = False,
    ) -> None:
        super().__init__(loop, client, head, reader, tap, ending)
        self._withheld = False
        self._most = len(HEADS) if is_on(Trick.ONE_CHUNK) and not watchful else 0
        #: Reads shorter than this may be exactly one chunk: 0 where the next byte does not start
        #: a size line, and for the first piece, which is looked at.
        self._room = 0
        #: The last such reads. Token counts stand in one of the last two events in every dialect
        #: (over the recorded replies of six engines); three slots cost less than a deque.
        self._latest = self._last_but_one = self._last_but_two = b""
        #: How many events the tap has been given, or has been told that it missed.
        self._seen = 0

    def data_received(self, data: bytes) -> None:
        # The hot path: nearly every read is exactly one chunk. Most of an event's cost is the
        # kernel's; these lines are a quarter of a microsecond of it (bench/NOTES.md).
        size = len(data)
        if size < self._room and data.startswith(HEADS[size]) and data.endswith(b"\r\n"):
            try:
                self._write(data)
            except RuntimeError:
                # uvloop's answer where the client's transport has closed and its protocol is
                # yet to be told; asking before each write would cost every event.
                self.leave(Terminal.CLIENT_GONE)
                return
            self._last_but_two = self._last_but_one
            self._last_but_one = self._latest
            self._latest = data
            self.sent += size
            self.events += 1
            return
        self._room = 0
        self._recall()
        super().data_received(data)
        self._seen = self.events
        reader = self._reader
        if isinstance(reader, ChunkReader) and reader.between and self.terminal is None:
            self._room = self._most
            self._conclude_soon()

    def _recall(self) -> None:
        if self.events - self._seen > 3:
            self.tap.skip()
        self._seen = self.events
        for piece in (self._last_but_two, self._last_but_one, self._latest):
            if piece:
                self.tap.take(piece[piece.index(b"\n") + 1 : -2])
        self._latest = self._last_but_one = self._last_but_two = b""

    def _pass(self, data: bytes, used: int) -> None:
        payload = b"".join(self._reader.payload)
        if self._head:
            self._check_begins(payload)
        self.tap.take(payload)
        if self._reader.ended:
            try:
                self._check_finished()
            except StreamBroken:
                self._withhold_end(data[:used], payload)
                raise
        reader = self._reader
        if isinstance(reader, ChunkReader) and reader.trailer_at is not None:
            # A node's trailers would be headers that nobody has looked at.
            data = data[: reader.trailer_at] + (b"\r\n" if reader.ended else b"")
            used = len(data)
        if used:
            self._send(data if used == len(data) else data[:used])
            self.sent += used

    def _is_answered(self) -> bool:
        """Only where the message can be ended in the node's place."""
        reader = self._reader
        return isinstance(reader, ChunkReader) and reader.between and super()._is_answered()

    def _last(self) -> bytes:
        """Where the node has not ended the message, the client gets an end from us."""
        return b"" if self._reader.ended else LAST_CHUNK

    def _withhold_end(self, data: bytes, payload: bytes) -> None:
        """The last read, with the message's end, is not sent as it is; but its events are, if it
        began where a chunk does, and an error has its place behind them."""
        again = ChunkReader()
        try:
            self._withheld = again.read(data) == len(data) and again.ended
        except MalformedChunk:
            return
        if self._withheld and payload:
            framed = frame_chunk(payload)
            self._send(framed)
            self.sent += len(framed)

    def _frame(self, payload: bytes) -> bytes:
        reader = self._reader
        fits = isinstance(reader, ChunkReader) and (reader.between or self._withheld)
        return frame_chunk(payload) if fits else b""
