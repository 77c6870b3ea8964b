"""A client's request: its head, and its body as it arrives."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from casedesk_proxy.errors import BadRequest, ProxyError
from casedesk_proxy.fastpath.fibers import OneShot
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.relay.body_faults import too_large, too_slow
from casedesk_proxy.relay.parties import Client, Held, Sink
from casedesk_proxy.relay.room import Room
from casedesk_proxy.wire.bodies import LengthReader
from casedesk_proxy.wire.chunked import ChunkReader, MalformedChunk
from casedesk_proxy.wire.http1 import BodyFraming, RequestHead, header

__all__ = ["CONTINUE", "TIMEOUT_GRACE_S", "ClientRequest"]

#: Body bytes that are accepted before the handler has asked for the body.
_MAX_UNASKED_BYTES = 65536
#: Used for every body that has arrived whole.
_ENDED = LengthReader(0)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
#: Seconds between a client's timeout and the decision. Timers run before reads: after a stall of
#: the loop, or of the machine, bytes that the client sent in time are still to be read.
TIMEOUT_GRACE_S = 0.1


class ClientRequest:
    """The connection calls ``feed`` and then ``wake``. The handler calls ``take`` or ``read`` once,
    or never: then the body is not read. For a body that must not be held, ``read_beginning``
    returns the beginning and ``pour`` passes the rest on. ``held``: what the exchange must let go
    of at its end. ``complete``: the body has arrived whole; ``begun``: the final reply's head is
    being sent, before any relay. ``notes``: more header lines for its reply."""

    __slots__ = (
        "_apart", "_body", "_done", "_enough", "_fault", "_held", "_is_held", "_limit", "_reader",
        "_room", "_sink", "_size", "_taken", "_timer", "_waiter", "begun", "client", "head", "held",
        "notes",
    )  # fmt: skip

    def __init__(self, head: RequestHead, client: Client, room: Room) -> None:
        self.head = head
        self.client = client
        self.held: Held | None = None
        self.notes = b""
        chunked = head.body is BodyFraming.CHUNKED
        self._reader = ChunkReader() if chunked else LengthReader(head.length)
        #: Of type bytes if it arrived in one piece, as most bodies do.
        self._body: bytes | bytearray = b""
        self._held: HeldBody | None = None  # Replaces it if the body is longer than ``_apart``.
        self._apart = sys.maxsize
        self._size = 0
        #: The bytes of ``_size`` that are counted in ``_room``.
        self._taken = 0
        self._room = room
        self._limit: int | None = None
        self._fault: ProxyError | None = None
        self._waiter: OneShot[bool] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._done: Callable[[], None] | None = None
        self._enough: Callable[[bytes | bytearray], bool] | None = None
        self._is_held = False
        self._sink: Sink | None = None
        self.begun = False

    @property
    def complete(self) -> bool:
        return self._reader.ended

    @property
    def wants(self) -> bool:
        """Whether more of the body may be read now."""
        if self._sink is not None:
            return self._sink.wants
        if self._is_held:
            return False
        return self._limit is not None or self._size <= _MAX_UNASKED_BYTES or self._done is not None

    @property
    def awaits_head(self) -> bool:
        """Whether the final reply's head has not begun, so that an interim reply may be sent."""
        relay = self.client.relay
        return self.head.http11 and not self.begun and (relay is None or relay.is_unsent)

    def feed(self, data: bytes, start: int = 0) -> int:
        """Take ``data`` from ``start`` on; return how many of these bytes belong to the body. If
        not all were taken, and the body has not ended, pass the rest again in another round: see
        `ChunkReader`."""
        came = len(data) - start
        if self._fault is not None or self._reader.ended:
            return 0 if self._reader.ended else came
        length = self.head.length
        is_held = self._sink is None and self._done is None
        if length and is_held and not self._size and came >= length:
            # Most bodies arrive in one piece.
            self._reader = _ENDED
            if not self._room.has(length):
                self._keep(data[start : start + length])
                return length
            self._room.held += length
            self._body = data[start : start + length]
            self._size = self._taken = length
            return length
        try:
            if isinstance(self._reader, ChunkReader):
                used = self._reader.read(data, start)
            else:
                used = self._reader.read(data[start:] if start else data)
        except MalformedChunk:
            self._fail(
                BadRequest("the request's body is not well-formed chunked data; correct the client")
            )
            return came
        if self._sink is not None:
            self._give(self._sink, b"".join(self._reader.payload))
        elif self._done is None:
            self._keep(b"".join(self._reader.payload))
        elif self._reader.ended:
            self._done()
        return used

    def wake(self) -> None:
        """Wake the reading task if there is news. Callers must do this last."""
        if self._sink is not None:
            self._sink.wake(self._fault)
        elif self._waiter is not None and self._is_ready():
            self._resolve(True)

    def take(self, limit: int) -> bytes:
        """The body, which has arrived whole. Raises TooLarge beyond ``limit`` bytes, BadRequest for
        invalid framing, Busy if there is no room for it."""
        if self.head.length > limit or self._size > limit:
            raise too_large(limit)
        if self._fault is not None:
            raise self._fault
        body, self._body = self._body, b""
        return bytes(body)

    async def read(self, limit: int, pause_s: float, rate: int = 0) -> bytes:
        """`take`, after waiting for the body. Also raises BadRequest (408) for a client that sends
        nothing in ``pause_s``, or less than ``rate`` bytes a second."""
        if self.head.length > limit or self._size > limit:
            raise too_large(limit)
        self._limit = limit
        if not self._reader.ended:
            self._room.check(max(self.head.length - self._size, 0))
            self._invite()
            await self._wait(pause_s, max(rate * pause_s, 1))
        return self.take(limit)

    async def read_apart(
        self, least: int, limit: int, pause_s: float, rate: int
    ) -> bytes | HeldBody:
        """`read`, but a body of ``least`` bytes or more becomes a held body."""
        self._apart = least
        body = await self.read(limit, pause_s, rate)
        if self._held is not None:
            held, self._held = self._held, None
            return held
        return HeldBody.create(body) if len(body) >= least else body

    async def read_beginning(
        self,
        enough: Callable[[bytes | bytearray], bool],
        pause_s: float,
        rate: int = 0,
    ) -> bytes:
        """As much of the body as ``enough`` asks for, or all of it; ``enough`` gets what has
        arrived so far and sets the limit. No more is read until `pour`. Raises as `read` does."""
        self._limit, self._enough = sys.maxsize, enough
        if not self._is_ready():
            self._invite()
            await self._wait(pause_s, max(rate * pause_s, 1))
        self._limit = self._enough = None
        self._is_held = True
        if self._fault is not None:
            raise self._fault
        self._body = body = bytes(self._body)
        return body

    def pour(self, sink: Sink, begun: int) -> None:
        """Pass ``sink`` all of the body after its first ``begun`` bytes, and hold no more of it."""
        if not begun and not self._reader.ended:
            self._invite()
        rest = bytes(self._body[begun:])
        self.release()
        self._sink = sink
        self._give(sink, rest)
        self.client.listen()

    def take_more(self, size: int) -> None:
        """Hold so many more bytes until `release`. Raises Busy if there is no room."""
        self._room.take(size)
        self._taken += size

    def hold_more(self, size: int) -> None:
        """Hold so many more bytes until `release`, whether there is room or not."""
        self._room.held, self._taken = self._room.held + size, self._taken + size

    def stop_pouring(self) -> None:
        """Read no more of the body, unless it is discarded."""
        self._sink, self._is_held = None, True

    def forget(self) -> None:
        """Drop what only planning needed: the headers and the body."""
        self.head = self.head.without_headers()
        self.release()
        if self._reader.ended:
            self._reader = _ENDED

    def release(self) -> None:
        """The body is no longer held."""
        if self._taken:
            self._body, self._held = b"", None
            self._room.give(self._taken)
            self._taken = 0

    def discard(self, done: Callable[[], None]) -> None:
        """Drop what has arrived and will arrive; ``done`` is called at the body's end."""
        self.release()
        self._is_held = False
        self._done = done

    def _give(self, sink: Sink, payload: bytes) -> None:
        if payload:
            sink.take(payload)
        if self._reader.ended:
            sink.finish()

    def _is_ready(self) -> bool:
        """Whether the reading task has what it waits for, or will not get it."""
        if self._reader.ended or self._fault is not None:
            return True
        return self._enough is not None and self._enough(self._body)

    def _keep(self, payload: bytes) -> None:
        size = len(payload)
        try:
            self._room.take(size)
            self._taken += size
            if self._size + size >= self._apart:
                if self._held is None:
                    self._held, self._body = HeldBody.create(self._body), b""
                self._held.write(payload)
        except ProxyError as full:
            self._fail(full.with_traceback(None))
            return
        if self._held is not None:
            pass
        elif not self._size:
            self._body = payload
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += payload
        self._size += size
        if self._limit is not None and self._size > self._limit:
            self._fail(too_large(self._limit))

    def _invite(self) -> None:
        if self.client.has_left:
            return
        expect = header(self.head.headers, b"expect")
        asked = expect is not None and expect.lower() == b"100-continue"
        # A client of HTTP/1.0 would take an interim reply for the final one (RFC 9110 section
        # 15.2).
        if asked and self.head.http11 and not self._size:
            self.client.write(CONTINUE)
        self.client.listen()

    async def _wait(self, pause_s: float, least: float) -> None:
        loop = asyncio.get_running_loop()
        while not self._is_ready():
            self._waiter = OneShot(loop)
            size = self._size
            self._timer = loop.call_later(pause_s, self._come_due)
            try:
                if not await self._waiter and self._size - size < least:
                    raise too_slow()
            finally:
                self._timer.cancel()
                self._waiter = self._timer = None

    def _come_due(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TIMEOUT_GRACE_S, self._resolve, False)

    def _resolve(self, news: bool) -> None:
        if self._waiter is not None and not self._waiter.done:
            self._waiter.set(news)

    def _fail(self, fault: ProxyError) -> None:
        self._fault = fault
        self.release()
        if self._done is not None:
            self._done()
