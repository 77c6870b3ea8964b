"""The sockets of one side, public or admin: bound or inherited, served, closed."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from typing import Any

from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.server.listen import (
    MAX_PENDING_CONNECTIONS,
    bind,
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
        self.server: asyncio.Server | TlsServer | None = None

    async def open(self) -> None:
        loop, sock = asyncio.get_running_loop(), self.sock
        if self._tls is not None and is_on(Trick.TLS):
            assert self._handshake_timeout_s is not None
            self.server = TlsServer(
                sock.dup(), self._make, self._tls, handshake_timeout_s=self._handshake_timeout_s
            )
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
        await door.open()
        self.urls.append(describe(sock, secure=tls is not None))

    def pause(self) -> None:
        """Leave new clients to the other processes that have the sockets."""
        for door in self._doors:
            door.shut()

    async def resume(self) -> None:
        """Accept again, unless it was closed meanwhile."""
        for door in self._doors:
            if door.server is None and not self._is_closed:
                await door.open()
        if self._is_closed:
            self.pause()

    @property
    def have_pending(self) -> bool:
        """Whether clients wait to be accepted."""
        poll = select.poll()
        for number in self.descriptors:
            poll.register(number, select.POLLIN)
        return bool(poll.poll(0))

    @property
    def descriptors(self) -> list[int]:
        """The listening sockets, for a successor."""
        return [door.sock.fileno() for door in self._doors if not self._is_closed]

    def close(self) -> None:
        """Accept no more. A file that cannot be removed stays: the next start takes over a socket
        on which nothing answers."""
        self._is_closed = True
        self.pause()
        for door in self._doors:
            door.sock.close()
        while self._files:
            with contextlib.suppress(OSError):
                remove_stale(self._files.pop())
