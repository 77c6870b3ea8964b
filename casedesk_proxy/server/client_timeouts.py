"""How long a client may be idle, how long its request's head may take, and how long it may still
send after the reply."""

from __future__ import annotations

import asyncio
from typing import Protocol

from casedesk_proxy.relay.pace import TIMEOUT_GRACE_S
from casedesk_proxy.server.client import ConnectedClient

__all__ = ["ClientTimeouts"]

#: Seconds for which a client may still send bytes that are dropped, so that it sees our answer:
#: closing before would make its kernel discard it (RFC 9112 section 9.6).
_LINGER_S = 2.0


class _Limits(Protocol):
    """Seconds. Read when a timer is started; while it closes, the server makes them shorter."""

    loop: asyncio.AbstractEventLoop
    head_timeout_s: float
    idle_timeout_s: float
    closing: bool


class _Connection(Protocol):
    client: ConnectedClient

    def is_idle(self) -> bool:
        """No request is answered, and no byte of one has arrived."""

    def is_held_up(self) -> bool:
        """The delay is ours: we do not read more of the head."""

    def refuse_head(self) -> None: ...


class ClientTimeouts:
    """The timers of one connection. Each decision waits for bytes that may have arrived in time,
    see `TIMEOUT_GRACE_S`. ``end`` must be called."""

    __slots__ = ("_connection", "_head", "_idle", "_limits", "_lingering", "_since")

    def __init__(self, connection: _Connection, limits: _Limits) -> None:
        self._connection: _Connection | None = connection
        self._limits = limits
        self._head: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._since = 0.0

    def start_idle(self) -> None:
        """Begin the idle timeout. It has one timer for each connection, not for each request, which
        checks how long ago the last one was."""
        self._since = self._limits.loop.time()
        if self._idle is not None and self._limits.closing:
            self._idle.cancel()
            self._idle = None
        if self._idle is None:
            self._idle = self._limits.loop.call_later(self._limits.idle_timeout_s, self._check_idle)

    def restart_idle(self) -> None:
        """Apply a timeout that has changed."""
        if self._idle is not None:
            self._idle.cancel()
            self._check_idle()

    def start_head(self) -> None:
        """Begin the timeout of a head, unless it runs; `stop_head` ends it."""
        if self._head is None:
            timeout = self._limits.head_timeout_s
            self._head = self._limits.loop.call_later(timeout, self._wait_for_reads)

    def stop_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def linger(self) -> None:
        """Let the client finish sending, but not for long: then the connection closes."""
        connection = self._connection
        self.end()
        if connection is not None:
            close = connection.client.close
            self._lingering = self._limits.loop.call_later(_LINGER_S, close)

    def end(self) -> None:
        """Stop all timers for good: this object and the connection referred to each other."""
        self._connection = None
        self.stop_head()
        for timer in (self._idle, self._lingering):
            if timer is not None:
                timer.cancel()
        self._idle = self._lingering = None

    def _check_idle(self) -> None:
        self._idle = None
        if self._connection is None or not self._connection.is_idle():
            return
        loop = self._limits.loop
        left = self._since + self._limits.idle_timeout_s - loop.time()
        if left > 0:
            self._idle = loop.call_later(left, self._check_idle)
        else:
            self._idle = loop.call_later(TIMEOUT_GRACE_S, self._end_idle, self._since)

    def _end_idle(self, since: float) -> None:
        self._idle = None
        if self._since != since:
            self._check_idle()
        elif self._connection is not None and self._connection.is_idle():
            self._connection.client.close()

    def _wait_for_reads(self) -> None:
        self._head = self._limits.loop.call_later(TIMEOUT_GRACE_S, self._end_head)

    def _end_head(self) -> None:
        connection = self._connection
        if connection is None:
            return
        if connection.is_held_up():
            self._wait_for_reads()
            return
        self._head = None
        connection.refuse_head()
