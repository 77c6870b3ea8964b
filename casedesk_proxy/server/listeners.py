"""The sockets of one side, public or admin: bound or inherited, served, closed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from typing import Any

from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.server.accepting import Acceptor, Gate, PlainServer
from casedesk_proxy.server.listen import (
    MAX_PENDING_CONNECTIONS,
    bind,
    count_waiting,
    describe,
    prepare,
    remove_stale,
    socket_path,
)
from casedesk_proxy.server.tls_server import TlsServer

__all__ = ["Listeners"]


#: We only remove a socket's file if we created it. Since Python 3.13 a server removes it by
#: default, even a service manager's.
_KEEP_FILE: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}


class _Door:
    """One socket, served or not. ``secure``: with TLS."""

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        tls: ssl.SSLContext | None,
        handshake_timeout_s: float | None,
    ) -> None:
        self.sock = sock
        self._make = make
        self._tls = tls
        self._handshake_timeout_s = handshake_timeout_s
        self.server: asyncio.Server | PlainServer | TlsServer | None = None

    async def open(self, gate: Gate | None) -> None:
        loop, sock = asyncio.get_running_loop(), self.sock
        if self._tls is not None and is_on(Trick.TLS):
            assert self._handshake_timeout_s is not None
            self.server = TlsServer(
                sock.dup(), self._make, self._tls,
                handshake_timeout_s=self._handshake_timeout_s, gate=gate,
            )  # fmt: skip
            return
        if gate is not None:
            self.server = PlainServer(
                sock.dup(), self._make, gate,
                tls=self._tls, handshake_timeout_s=self._handshake_timeout_s,
            )  # fmt: skip
            return
        is_unix = sock.family == socket.AF_UNIX
        create = loop.create_unix_server if is_unix else loop.create_server
        # Both listen again, with a backlog of their own.
        self.server = await create(
            self._make,
            sock=sock.dup(),
            ssl=self._tls,
            ssl_handshake_timeout=self._handshake_timeout_s,
            backlog=MAX_PENDING_CONNECTIONS,
            **(_KEEP_FILE if is_unix else {}),
        )

    def shut(self) -> None:
        """Accept no more; new clients wait in the socket."""
        if self.server is not None:
            self.server.close()
            self.server = None


class Listeners:
    """``inherited``: sockets that a service manager opened, which are served in place of the
    configured address. We close them, but do not remove their files. ``urls``: the URLs for
    clients."""

    def __init__(self, inherited: Sequence[socket.socket] = ()) -> None:
        self.inherited = tuple(inherited)
        self.urls: list[str] = []
        self._doors: list[_Door] = []
        self._is_closed = False
        self._gate: Gate | None = None
        #: Files of Unix sockets that we created.
        self._files: list[str] = []

    def open(self, address: str | None) -> Sequence[socket.socket]:
        """The sockets to serve: none if none was inherited and there is no address. Raises OSError
        if the address cannot be used."""
        if self.inherited or address is None:
            return self.inherited
        sock = bind(address)
        if (path := socket_path(sock)) is not None:
            self._files.append(path)
        return (sock,)

    async def serve(
        self,
        sock: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        *,
        tls: ssl.SSLContext | None = None,
        handshake_timeout_s: float | None = None,
    ) -> None:
        """Accept clients; ``make`` makes a protocol for each. ``handshake_timeout_s``: how
        long a TLS handshake may take; only with ``tls``."""
        prepare(sock)
        door = _Door(sock, make, tls, handshake_timeout_s)
        self._doors.append(door)
        await door.open(self._gate)
        self.urls.append(describe(sock, secure=tls is not None))

    async def open_by(self, gate: Gate | None) -> None:
        """Accept only the clients that ``gate`` admits; None: all. Does nothing if it was closed.
        Raises OSError if there is no descriptor for it: then call it again later."""
        self._gate = gate
        self._shut()
        for door in self._doors:
            if door.server is None and not self._is_closed:
                await door.open(gate)
        if self._is_closed:
            self._shut()

    def pause(self) -> None:
        """Leave new clients to the other processes that have the sockets. Needs a gate."""
        for acceptor in self._acceptors:
            acceptor.pause()

    def resume(self) -> None:
        """Accept again."""
        for acceptor in self._acceptors:
            acceptor.resume()

    @property
    def _acceptors(self) -> list[Acceptor]:
        servers = (door.server for door in self._doors)
        return [one.acceptor for one in servers if isinstance(one, (PlainServer, TlsServer))]

    def _shut(self) -> None:
        for door in self._doors:
            door.shut()

    def count_waiting(self) -> int:
        """How many clients wait to be accepted."""
        return sum(count_waiting(door.sock) for door in self._doors if not self._is_closed)

    @property
    def descriptors(self) -> list[int]:
        """The listening sockets, for a successor."""
        return [door.sock.fileno() for door in self._doors if not self._is_closed]

    def close(self) -> None:
        """Accept no more. A file that cannot be removed stays: the next start takes over a socket
        on which nothing answers."""
        self._is_closed = True
        self._shut()
        for door in self._doors:
            door.sock.close()
        while self._files:
            with contextlib.suppress(OSError):
                remove_stale(self._files.pop())
