"""Accepts clients from a listening socket, a limited number in each round of the event loop.

libuv accepts all clients that wait in a socket in one round, and cannot be stopped in between. So
code that leaves some of them to another instance, or makes TLS connections, accepts here.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any

from casedesk_proxy.fastpath.fibers import make_run
from casedesk_proxy.server.listen import MAX_PENDING_CONNECTIONS

__all__ = ["Acceptor", "Gate", "PlainServer"]

log = logging.getLogger(__name__)

#: Connections that are accepted in one round of the loop: their first requests are handled in one
#: round, too.
_ACCEPT_TIMES = 20
#: Seconds for which no connection is accepted after descriptors or memory ran out.
_EXHAUSTED_S = 1.0
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


#: How many clients of those that wait in a socket to accept now; the rest is left to another
#: process. Without any, call the acceptor's ``pause``, and its ``resume`` later.
Gate = Callable[[socket.socket], int]


class Acceptor:
    """Owns ``sock`` and accepts from it at once. ``take`` owns each accepted client. ``gate``: None
    if all clients are to be accepted."""

    def __init__(
        self,
        sock: socket.socket,
        take: Callable[[socket.socket], None],
        gate: Gate | None = None,
        *,
        exhausted_s: float = _EXHAUSTED_S,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._take = take
        self._gate = gate
        self._exhausted_s = exhausted_s
        #: Set while descriptors are exhausted.
        self._retry: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        sock.listen(MAX_PENDING_CONNECTIONS)
        self.resume()

    def close(self) -> None:
        """Accept no more. Accepted connections continue."""
        if self._sock.fileno() < 0:
            return
        if self._retry is not None:
            self._retry.cancel()
        self.pause()
        self._sock.close()

    def pause(self) -> None:
        """Accept no more until ``resume``."""
        self._loop.remove_reader(self._sock.fileno())

    def resume(self) -> None:
        """Does nothing while descriptors are exhausted."""
        if self._retry is None:
            self._loop.add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        count = _ACCEPT_TIMES
        if self._gate is not None:
            count = min(count, self._gate(self._sock))
        for _ in range(count):
            try:
                client, _ = self._sock.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                log.error("no client is accepted for %g s: %s", self._exhausted_s, error.strerror)
                self.pause()
                self._retry = self._loop.call_later(self._exhausted_s, self._continue)
                return
            self._take(client)

    def _continue(self) -> None:
        self._retry = None
        self.resume()


class PlainServer:
    """Accepts the clients that ``gate`` admits from ``sock``, and owns it. ``make`` makes a
    protocol for each, when it is accepted. ``tls``: the event loop's own, which may take so many
    seconds for a handshake."""

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        gate: Gate,
        *,
        tls: ssl.SSLContext | None = None,
        handshake_timeout_s: float | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._make = make
        self._options: dict[str, Any] = {}
        if tls is not None:
            self._options = {"ssl": tls, "ssl_handshake_timeout": handshake_timeout_s}
        self.acceptor = Acceptor(sock, self._take, gate)

    def close(self) -> None:
        """Accept no more. Accepted connections continue."""
        self.acceptor.close()

    def _take(self, client: socket.socket) -> None:
        # At once: a task would begin in the next round.
        make_run(self._loop, self._open(client, self._make()), _ignore).start()

    async def _open(self, client: socket.socket, protocol: asyncio.BaseProtocol) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, client, **self._options)
        except OSError:
            client.close()


def _ignore(result: None) -> None:
    pass
