"""A client that has closed its sending side: it has left, or waits for its answer.

Both begin with the same FIN. The reaction of its kernel to our next bytes distinguishes them, so an
interim reply is sent repeatedly until the final one's head (RFC 9110 section 15.2 lets any client
of HTTP/1.1 expect one or more): a client that has closed resets the connection within a round trip.
Forwarders between (docker's, ssh -L) notice it one by one, each with the next bytes. If no interim
reply is allowed, a FIN means that the client has left: within a reply, and from clients of
HTTP/1.0. Over TLS it always does. Unix sockets report it themselves.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Protocol

from casedesk_proxy.relay.request import CONTINUE
from casedesk_proxy.server.client import ConnectedClient
from casedesk_proxy.server.hangups import HangUps

__all__ = ["HalfClosed"]

#: Seconds from one interim reply to the next; the first waits for answers that are ready at once.
_PAUSES = (0.01, 0.01, 0.05, 0.2, 1.0, 10.0)
#: Seconds after which a client that leaves is treated as one that had waited.
_MIN_WAIT_S = 2.0


class _Connection(Protocol):
    client: ConnectedClient

    def is_unanswered(self) -> bool:
        """Whether an interim reply is allowed."""


class HalfClosed:
    """``since``: by time.perf_counter. ``is_possible``: whether the connection can be half-closed;
    ``reports_close``: whether a full close is reported."""

    __slots__ = ("_connection", "_hangups", "_number", "_sent", "_sock", "_timer",
                 "is_possible", "reports_close", "since")  # fmt: skip

    def __init__(self, connection: _Connection, transport: asyncio.Transport, since: float) -> None:
        self._connection = connection
        self._hangups: HangUps | None = None
        self._number = -1
        self._sent = 0
        self._timer: asyncio.TimerHandle | None = None
        self.since = since
        self.is_possible = not transport.get_extra_info("sslcontext")
        self._sock: socket.socket = transport.get_extra_info("socket")
        self.reports_close = self._sock.family == socket.AF_UNIX

    def watch(self, hangups: HangUps) -> None:
        """Check whether the client is still there, and close it when it is not."""
        self._hangups = hangups
        self._number = hangups.watch(self._sock, self._hang_up)
        self._connection.client.resume_relay()
        if not self.reports_close:
            self._come_back()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._hangups is not None:
            self._hangups.forget(self._number)
            self._hangups = None

    def _hang_up(self) -> None:
        """The client is found to have gone: with its FIN, unless it had waited."""
        now = time.perf_counter()
        self._connection.client.leave(self.since if now - self.since < _MIN_WAIT_S else now)

    def _come_back(self) -> None:
        pause = _PAUSES[min(self._sent, len(_PAUSES) - 1)]
        self._timer = asyncio.get_running_loop().call_later(pause, self._ask)

    def _ask(self) -> None:
        self._timer = None
        if not self._connection.client.is_open:
            return
        if self._connection.is_unanswered():
            self._connection.client.write(CONTINUE)
            self._sent += 1
        self._come_back()
