"""Clients are accepted some at a time, by shares, and not without descriptors."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import trustme

from casedesk_proxy.server.accepting import Acceptor, PlainServer
from tests.fixtures.echo import Echo
from tests.fixtures.raw_client import connect, open_client

authority = trustme.CA()


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[int]:
    sock = listening()
    server = PlainServer(sock, Echo, lambda sock: 1, **options)
    try:
        yield sock.getsockname()[1]
    finally:
        server.close()
        server.close()


async def echo(url: str, trusting: ssl.SSLContext | None = None) -> bytes:
    async with connect(url, trusting) as client:
        client.write(b"hello")
        return await client.take(5)


async def test_all_that_come_are_served() -> None:
    async with served() as port:
        url = f"http://127.0.0.1:{port}"
        assert await asyncio.gather(*(echo(url) for _ in range(20))) == [b"hello"] * 20


async def test_with_the_loops_own_tls() -> None:
    """One that does not speak it costs the others nothing."""
    context, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(trusting)
    async with served(tls=context, handshake_timeout_s=20.0) as port:
        stranger = await open_client(f"http://127.0.0.1:{port}")
        stranger.write(b"GET / HTTP/1.1\r\n\r\n")
        await stranger.rest()
        await stranger.end()
        assert await echo(f"https://127.0.0.1:{port}", trusting) == b"hello"


async def test_what_is_written_is_not_held_back() -> None:
    """A small write is sent although an earlier one is not acknowledged yet."""
    made: list[Echo] = []

    def make() -> Echo:
        made.append(Echo())
        return made[-1]

    sock = listening()
    server = PlainServer(sock, make, lambda sock: 1)
    try:
        assert await echo(f"http://127.0.0.1:{sock.getsockname()[1]}") == b"hello"
        own = made[0].transport.get_extra_info("socket")
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    finally:
        server.close()


async def test_who_is_left_to_others_waits_in_the_socket() -> None:
    taken: list[socket.socket] = []
    asked = asyncio.Event()

    def admit(sock: socket.socket) -> int:
        asked.set()
        return -1

    sock = listening()
    acceptor = Acceptor(sock, taken.append, admit)
    with socket.create_connection(sock.getsockname()), sock.dup() as others:
        await asked.wait()
        acceptor.close()
        assert taken == []
        others.accept()[0].close()


class Exhausted:
    """A listening socket of a process that has no descriptor left, once."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self._sock = sock
        self._number = number
        self.failed = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def accept(self) -> tuple[socket.socket, object]:
        if not self.failed.is_set():
            self.failed.set()
            raise OSError(self._number, "Too many open files")
        return self._sock.accept()


async def test_without_descriptors_clients_wait(caplog: pytest.LogCaptureFixture) -> None:
    sock = Exhausted(listening(), errno.EMFILE)
    taken: asyncio.Queue[socket.socket] = asyncio.Queue()
    acceptor = Acceptor(cast(socket.socket, sock), taken.put_nowait, exhausted_s=0.01)
    try:
        with socket.create_connection(sock.getsockname()):
            await sock.failed.wait()
            acceptor.resume()
            assert not taken.qsize()
            (await taken.get()).close()
        assert "no client is accepted for 0.01 s: Too many open files" in caplog.text
    finally:
        acceptor.close()


async def test_who_is_closed_without_descriptors_stays_closed() -> None:
    sock = Exhausted(listening(), errno.EMFILE)
    acceptor = Acceptor(cast(socket.socket, sock), lambda client: None, exhausted_s=60)
    with socket.create_connection(sock.getsockname()):
        await sock.failed.wait()
        acceptor.close()
    assert sock.fileno() < 0


async def test_another_fault_of_the_socket_is_told() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    sock = Exhausted(listening(), errno.EINVAL)
    acceptor = Acceptor(cast(socket.socket, sock), lambda client: client.close())
    try:
        with socket.create_connection(sock.getsockname()) as client:
            await asyncio.get_running_loop().run_in_executor(None, client.recv, 1)
        assert told
    finally:
        acceptor.close()
