"""The sockets of one side, public or admin: bound or handed over, served, closed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Sequence

from casedesk_proxy.server.listen import (
    MAX_PENDING_CONNECTIONS,
    bind,
    describe,
    prepare,
    remove_stale,
    socket_path,
)

__all__ = ["Listeners"]


class Listeners:
    """``inherited``: sockets that a service manager opened, which are served instead of the
    configured address. They are ours to close, their files are not ours to remove. ``urls``: where
    clients are served."""

    def __init__(self, inherited: Sequence[socket.socket] = ()) -> None:
        self.inherited = tuple(inherited)
        self.urls: list[str] = []
        self._servers: list[asyncio.Server] = []
        #: Files of unix sockets that we made.
        self._files: list[str] = []

    def open(self, address: str | None) -> Sequence[socket.socket]:
        """The sockets to serve: none where nothing was handed over and there is no address.
        Raises OSError where the address cannot be used."""
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
        handshake_timeout: float | None = None,
    ) -> None:
        """Accept clients, for each of which ``make`` makes a protocol. ``handshake_timeout``:
        seconds that a TLS handshake may take; only with ``tls``."""
        loop = asyncio.get_running_loop()
        prepare(sock)
        create = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
        with contextlib.closing(sock):
            # Either listens once more, with a backlog of its own.
            self._servers.append(
                await create(
                    make,
                    sock=sock.dup(),
                    ssl=tls,
                    ssl_handshake_timeout=handshake_timeout,
                    backlog=MAX_PENDING_CONNECTIONS,
                )
            )
            self.urls.append(describe(sock, secure=tls is not None))

    @property
    def descriptors(self) -> list[int]:
        """The sockets that are listened on, for a process that follows us."""
        return [sock.fileno() for server in self._servers for sock in server.sockets]

    def close(self) -> None:
        """Accept no more. A file that cannot be removed stays: the next start takes over one on
        which nobody answers."""
        for server in self._servers:
            server.close()
        while self._files:
            with contextlib.suppress(OSError):
                remove_stale(self._files.pop())
