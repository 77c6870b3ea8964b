"""A client's request: its head, and its body as it comes in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from casedesk_proxy.errors import BadRequest, ProxyError, TooLarge
from casedesk_proxy.fibers import Signal
from casedesk_proxy.server.relay import Relay
from casedesk_proxy.terms import RawHeaders
from casedesk_proxy.wire.bodies import LengthReader
from casedesk_proxy.wire.chunked import ChunkReader, MalformedChunk
from casedesk_proxy.wire.http1 import Body, RequestHead, header

__all__ = ["Client", "Request", "require_plain"]

#: Body bytes taken before anyone has asked for the body.
_UNASKED = 65536
#: Stands for every body that has come whole.
_ENDED = LengthReader(0)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Client(Protocol):
    """Where a request came from: ``transport`` is None once the client has gone, at ``gone_at`` by
    time.perf_counter, ``relay`` the relay that feels its backpressure, ``peer`` the address at the
    other end."""

    peer: str
    transport: asyncio.Transport | None
    relay: Relay | None
    gone_at: float | None

    def write_soon(self, message: bytes) -> None:
        """The whole of an answer; what is said to others may go before it."""


class Request:
    """``feed`` and then ``wake`` are for the connection; ``take`` or ``read`` for the handler,
    once, or never: what is not asked for is not taken. ``complete`` tells whether the body has
    come whole."""

    __slots__ = (
        "_done",
        "_fault",
        "_limit",
        "_pieces",
        "_reader",
        "_size",
        "_waiter",
        "client",
        "head",
    )

    def __init__(self, head: RequestHead, client: Client) -> None:
        self.head = head
        self.client = client
        chunked = head.body is Body.CHUNKED
        self._reader = ChunkReader() if chunked else LengthReader(head.length)
        self._pieces: list[bytes] = []
        self._size = 0
        self._limit: int | None = None
        self._fault: ProxyError | None = None
        self._waiter: Signal[bool] | None = None
        self._done: Callable[[], None] | None = None

    @property
    def complete(self) -> bool:
        return self._reader.ended

    def feed(self, data: bytes) -> int:
        """Take the next bytes; returns how many of them are the body's."""
        if self._fault is not None or self._reader.ended:
            return 0 if self._reader.ended else len(data)
        length = self.head.length
        if length and not self._size and len(data) >= length and self._done is None:
            # Most bodies come in one piece.
            self._pieces, self._size, self._reader = [data[:length]], length, _ENDED
            return length
        used = 0
        try:
            while used < len(data) and not self._reader.ended:
                used += self._reader.read(data[used:])
                if self._done is None:
                    self._pieces += self._reader.payload
                    self._size += sum(map(len, self._reader.payload))
        except MalformedChunk:
            self._fail(BadRequest("the request's body is not well-formed"))
            return len(data)
        most = _UNASKED if self._limit is None else self._limit
        if self._done is None and self._size > most:
            self._take_too_much()
        if self._reader.ended and self._done is not None:
            self._done()
        return used

    def wake(self) -> None:
        """Let whoever reads go on, if there is news. The last thing that a caller does."""
        if self._waiter is not None and (self._reader.ended or self._fault is not None):
            self._tell(True)

    def take(self, limit: int) -> bytes:
        """The body, which has come whole. Raises TooLarge beyond ``limit`` bytes, BadRequest for
        broken framing."""
        if self.head.length > limit or self._size > limit:
            raise _too_large(limit)
        if self._fault is not None:
            raise self._fault
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def read(self, limit: int, silence: float) -> bytes:
        """`take`, once the body is there. Also raises BadRequest (408) for a client that is
        silent for ``silence`` seconds."""
        if self.head.length > limit or self._size > limit:
            raise _too_large(limit)
        self._limit = limit
        if not self._reader.ended:
            self._invite()
            await self._wait(silence)
        return self.take(limit)

    def forget(self) -> None:
        """Let go of what only planning needed: the headers and the body."""
        self.head = replace(self.head, headers=())
        self._pieces = []
        if self._reader.ended:
            self._reader = _ENDED

    def discard(self, done: Callable[[], None]) -> None:
        """Drop what has come and what will; ``done`` is called at the body's end."""
        self._pieces = []
        self._done = done

    def _invite(self) -> None:
        transport = self.client.transport
        if transport is None:
            return
        expect = header(self.head.headers, b"expect")
        if expect is not None and expect.lower() == b"100-continue" and not self._size:
            transport.write(_CONTINUE)
        transport.resume_reading()

    async def _wait(self, silence: float) -> None:
        loop = asyncio.get_running_loop()
        while not self._reader.ended and self._fault is None:
            self._waiter = Signal(loop)
            size = self._size
            timer = loop.call_later(silence, self._tell, False)
            try:
                if not await self._waiter and self._size == size:
                    raise BadRequest("the request's body took too long", status=408)
            finally:
                timer.cancel()
                self._waiter = None

    def _tell(self, news: bool) -> None:
        if self._waiter is not None and not self._waiter.done:
            self._waiter.set(news)

    def _take_too_much(self) -> None:
        if self._limit is not None:
            self._fail(_too_large(self._limit))
        elif self.client.transport is not None:
            self.client.transport.pause_reading()

    def _fail(self, fault: ProxyError) -> None:
        self._fault = fault
        self._pieces = []
        if self._done is not None:
            self._done()


def require_plain(headers: RawHeaders) -> None:
    """Raises BadRequest (415) for a body in a content coding."""
    coding = header(headers, b"content-encoding")
    if coding is not None and coding.lower() != b"identity":
        raise BadRequest("content-encoding: send the body uncompressed", status=415)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the request's body is larger than {limit} bytes (server.max_body)")
