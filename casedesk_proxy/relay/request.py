"""A client's request: its head, and its body as it arrives."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from casedesk_proxy.errors import BadRequest, ProxyError
from casedesk_proxy.fastpath.fibers import OneShot
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.relay.body_faults import too_large, too_slow
from casedesk_proxy.relay.body_memory import BodyMemory
from casedesk_proxy.relay.pace import Pace, PaceTimer
from casedesk_proxy.relay.parties import Client, Discarded, Sink
from casedesk_proxy.wire.bodies import LengthReader
from casedesk_proxy.wire.chunked import ChunkReader, MalformedChunk
from casedesk_proxy.wire.http1 import BodyFraming, RequestHead, header

__all__ = ["CONTINUE", "ClientRequest"]

#: Body bytes that are accepted before the handler has asked for the body.
_MAX_UNASKED_BYTES = 65536
#: Used for every body that has arrived whole.
_ENDED = LengthReader(0)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class ClientRequest:
    """One request of ``client``. Its body is kept until the handler calls ``take`` or ``read``, up
    to a small size if the handler does neither. A body that must not be kept whole goes to a sink:
    ``read_beginning`` returns its beginning, ``pour`` passes the rest on, and ``discard`` drops it.

    The connection calls ``feed`` and then ``wake``. ``complete``: the body has arrived whole;
    ``received``: the bytes of it that were kept. ``reply_begun``: the final reply's head is being
    sent, before any relay. ``notes``: more header lines for its reply."""

    __slots__ = (
        "_apart_from", "_body", "_enough", "_fault", "_held_body", "_is_suspended", "_limit",
        "_memory", "_reader", "_reserved", "_sink", "_waiter", "client", "head", "notes",
        "received", "reply_begun",
    )  # fmt: skip

    def __init__(self, head: RequestHead, client: Client, memory: BodyMemory) -> None:
        self.head = head
        self.client = client
        self.notes = b""
        chunked = head.body is BodyFraming.CHUNKED
        self._reader = ChunkReader() if chunked else LengthReader(head.length)
        #: Of type bytes if it arrived in one piece, as most bodies do.
        self._body: bytes | bytearray = b""
        #: In place of ``_body`` if the body has ``_apart_from`` bytes or more.
        self._held_body: HeldBody | None = None
        self._apart_from = sys.maxsize
        self.received = 0
        #: Bytes of ``_memory`` that this request has taken.
        self._reserved = 0
        self._memory = memory
        #: The largest size that the handler accepts; None until it has asked for the body.
        self._limit: int | None = None
        self._fault: ProxyError | None = None
        self._waiter: OneShot[None] | None = None
        self._enough: Callable[[bytes | bytearray], bool] | None = None
        #: Whether the client is not read although the body has not ended.
        self._is_suspended = False
        #: The destination of all that arrives from now on; None: it is kept here.
        self._sink: Sink | None = None
        self.reply_begun = False

    @property
    def complete(self) -> bool:
        return self._reader.ended

    @property
    def wants(self) -> bool:
        """Whether more of the body may be read now."""
        if self._sink is not None:
            return self._sink.wants
        if self._is_suspended:
            return False
        return self._limit is not None or self.received <= _MAX_UNASKED_BYTES

    @property
    def awaits_head(self) -> bool:
        """Whether the final reply's head has not begun, so that an interim reply may be sent."""
        relay = self.client.relay
        return self.head.http11 and not self.reply_begun and (relay is None or relay.is_unsent)

    def feed(self, data: bytes, start: int = 0) -> int:
        """Take ``data`` from ``start`` on; return how many of these bytes belong to the body. If
        not all were taken, and the body has not ended, pass the rest again in another round: see
        `ChunkReader`."""
        came = len(data) - start
        if self._fault is not None or self._reader.ended:
            return 0 if self._reader.ended else came
        length = self.head.length
        if length and self._sink is None and not self.received and came >= length:
            # Most bodies arrive in one piece.
            self._reader = _ENDED
            if not self._memory.has(length):
                self._keep(data[start : start + length])
                return length
            self._memory.used += length
            self._body = data[start : start + length]
            self.received = self._reserved = length
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
            self._pass_on(self._sink, b"".join(self._reader.payload))
        else:
            self._keep(b"".join(self._reader.payload))
        return used

    def wake(self) -> None:
        """Wake the reading task if there is news. Callers must do this last."""
        if self._sink is not None:
            self._sink.wake(self._fault)
        elif self._waiter is not None and not self._waiter.done and self._is_ready():
            self._waiter.set(None)

    def take(self, limit: int) -> bytes:
        """The body, which has arrived whole. Raises TooLarge beyond ``limit`` bytes, BadRequest for
        invalid framing, Busy if there is no room for it."""
        if self.head.length > limit or self.received > limit:
            raise too_large(limit)
        if self._fault is not None:
            raise self._fault
        body, self._body = self._body, b""
        return bytes(body)

    async def read(self, limit: int, pace: Pace) -> bytes:
        """`take`, after waiting for the body. Also raises BadRequest (408) for a client that sends
        more slowly than ``pace``."""
        if self.head.length > limit or self.received > limit:
            raise too_large(limit)
        self._limit = limit
        if not self._reader.ended:
            self._memory.check(max(self.head.length - self.received, 0))
            self._invite()
            await self._wait(pace)
        return self.take(limit)

    async def read_apart(self, least: int, limit: int, pace: Pace) -> bytes | HeldBody:
        """`read`, but a body of ``least`` bytes or more becomes a held body."""
        self._apart_from = least
        body = await self.read(limit, pace)
        if self._held_body is not None:
            held, self._held_body = self._held_body, None
            return held
        return HeldBody.create(body) if len(body) >= least else body

    async def read_beginning(
        self, enough: Callable[[bytes | bytearray], bool], pace: Pace
    ) -> bytes:
        """As much of the body as ``enough`` asks for, or all of it; ``enough`` gets what has
        arrived so far and sets the limit. No more is read until `pour`. Raises as `read` does."""
        self._limit, self._enough = sys.maxsize, enough
        if not self._is_ready():
            self._invite()
            await self._wait(pace)
        self._limit = self._enough = None
        self._is_suspended = True
        if self._fault is not None:
            raise self._fault
        self._body = body = bytes(self._body)
        return body

    def pour(self, sink: Sink, skip: int) -> None:
        """Pass ``sink`` the body, without its first ``skip`` bytes, and keep no more of it."""
        if not skip and not self._reader.ended:
            self._invite()
        rest = bytes(self._body[skip:])
        self.release()
        self._sink = sink
        self._pass_on(sink, rest)
        self.client.read_more()

    def stop_pouring(self) -> None:
        """Read no more of the body, unless it is discarded."""
        self._sink, self._is_suspended = None, True

    def reserve(self, size: int) -> None:
        """Reserve memory for so many more bytes until `release`. Raises Busy if there is none."""
        self._memory.reserve(size)
        self._reserved += size

    def count(self, size: int) -> None:
        """Count so many more bytes until `release`, whether there is memory for them or not."""
        self._memory.used += size
        self._reserved += size

    def forget(self) -> None:
        """Drop what only planning needed: the headers and the body."""
        self.head = self.head.without_headers()
        self.release()
        if self._reader.ended:
            self._reader = _ENDED

    def release(self) -> None:
        """The body is no longer held."""
        if self._reserved:
            self._body, self._held_body = b"", None
            self._memory.release(self._reserved)
            self._reserved = 0

    def discard(self, ended: Callable[[], None]) -> None:
        """Drop what has arrived and will arrive; ``ended`` is called at the body's end."""
        self.release()
        self._sink = Discarded(ended)

    def give_up(self) -> None:
        """Called by the `PaceTimer`."""
        if self._waiter is not None and not self._waiter.done:
            self._waiter.fail(too_slow())

    def _pass_on(self, sink: Sink, payload: bytes) -> None:
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
            self._memory.reserve(size)
            self._reserved += size
            if self.received + size >= self._apart_from:
                if self._held_body is None:
                    self._held_body, self._body = HeldBody.create(self._body), b""
                self._held_body.write(payload)
        except ProxyError as full:
            self._fail(full.with_traceback(None))
            return
        if self._held_body is not None:
            pass
        elif not self.received:
            self._body = payload
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += payload
        self.received += size
        if self._limit is not None and self.received > self._limit:
            self._fail(too_large(self._limit))

    def _invite(self) -> None:
        if self.client.has_left:
            return
        expect = header(self.head.headers, b"expect")
        asked = expect is not None and expect.lower() == b"100-continue"
        # A client of HTTP/1.0 would take an interim reply for the final one (RFC 9110 section
        # 15.2).
        if asked and self.head.http11 and not self.received:
            self.client.write(CONTINUE)
        self.client.read_more()

    async def _wait(self, pace: Pace) -> None:
        if self._is_ready():
            return
        loop = asyncio.get_running_loop()
        self._waiter, timer = OneShot(loop), PaceTimer(loop, pace)
        timer.start(self)
        try:
            await self._waiter
        finally:
            timer.stop()
            self._waiter = None

    def _fail(self, fault: ProxyError) -> None:
        self._fault = fault
        self.release()
        if isinstance(self._sink, Discarded):
            # Its end can no longer be found.
            self._sink.finish()
