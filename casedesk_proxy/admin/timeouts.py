"""Timeouts for the admin listener: aiohttp waits without a limit for a head, and for a client that
reads slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from casedesk_proxy.relay.pace import TIMEOUT_GRACE_S
from casedesk_proxy.relay.parting import reset

__all__ = ["TimeoutProtocol", "with_timeouts"]

_HEAD_ENDS = (b"\r\n\r\n", b"\n\n")


class TimeoutProtocol(asyncio.Protocol):
    """Stands before ``inner``. A head must arrive within ``head_timeout_s`` of the connection's
    beginning or of its own first byte, and a reply must be read within ``send_timeout`` seconds.
    Requests to the admin listener have no body."""

    def __init__(self, inner: asyncio.Protocol, head_timeout_s: float, send_timeout: float) -> None:
        self._inner = inner
        self._head_timeout_s = head_timeout_s
        self._send_timeout = send_timeout
        self._loop = asyncio.get_running_loop()
        self._tail = b""
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._start("head", self._head_timeout_s)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-4:]
        if self._tail.endswith(_HEAD_ENDS):
            self._stop("head")
        else:
            self._start("head", self._head_timeout_s)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for what in list(self._timers):
            self._stop(what)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._start("reply", self._send_timeout)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._stop("reply")
        self._inner.resume_writing()

    def _start(self, what: str, timeout_s: float) -> None:
        if what not in self._timers:
            self._timers[what] = self._loop.call_later(timeout_s, self._come_due, what)

    def _stop(self, what: str) -> None:
        if (timer := self._timers.pop(what, None)) is not None:
            timer.cancel()

    def _come_due(self, what: str) -> None:
        self._timers[what] = self._loop.call_later(TIMEOUT_GRACE_S, self._end, what)

    def _end(self, what: str) -> None:
        self._stop(what)
        if self._transport is not None:
            reset(self._transport)


def with_timeouts(
    make: Callable[[], asyncio.Protocol], head_timeout_s: float, send_timeout: float
) -> TimeoutProtocol:
    """The protocol of ``make``, with timeouts."""
    return TimeoutProtocol(make(), head_timeout_s, send_timeout)
