"""Clients that connect with TLS, and those that send something else."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme

from casedesk_proxy.server.tls_server import TlsServer
from tests.fixtures.echo import Echo
from tests.fixtures.raw_client import ask, connect, open_client, request

authority = trustme.CA()


@asynccontextmanager
async def served(timeout_s: float = 20) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    sock = socket.create_server(("127.0.0.1", 0))
    server = TlsServer(sock, Echo, context, handshake_timeout_s=timeout_s)
    try:
        yield sock.getsockname()[1]
    finally:
        server.close()
        server.close()


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def echo(port: int) -> bytes:
    async with connect(f"https://127.0.0.1:{port}", trusting()) as client:
        client.write(b"hello")
        return await client.take(5)


async def test_many_come_at_once() -> None:
    async with served() as port:
        assert await asyncio.gather(*(echo(port) for _ in range(20))) == [b"hello"] * 20


async def test_who_speaks_plain_http_hears_what_to_do() -> None:
    async with served() as port:
        reply = await ask(f"http://127.0.0.1:{port}", request("/"))
        assert (reply.status, reply.complete) == (400, True)
        assert "use https://" in json.loads(reply.body)["error"]["message"]


class Greeter:
    """A client's side of a handshake, whose bytes a test sends."""

    def __init__(self) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._side = trusting().wrap_bio(
            self._incoming, self._outgoing, server_hostname="127.0.0.1"
        )
        assert not self.goes_on(b"")
        self.hello = self._outgoing.read()

    @property
    def version(self) -> str | None:
        return self._side.version()

    def goes_on(self, answer: bytes) -> bool:
        """Whether the server's part is complete."""
        self._incoming.write(answer)
        try:
            self._side.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True


async def test_a_hello_in_two_pieces() -> None:
    greeter = Greeter()
    async with served() as port, connect(f"http://127.0.0.1:{port}") as client:
        await client.send(greeter.hello[:100], greeter.hello[100:])
        complete = False
        while not complete:
            complete = greeter.goes_on(await client.take(1))
        assert greeter.version == "TLSv1.3"


@pytest.mark.parametrize("size", [1, 100, None])
async def test_a_handshake_that_never_ends(size: int | None) -> None:
    """Our part of it is never sent."""
    greeter = Greeter()
    async with served(timeout_s=0.05) as port, connect(f"http://127.0.0.1:{port}") as client:
        client.write(greeter.hello[:size])
        answer = await client.rest()
    assert answer == b"" or size is None


@pytest.mark.parametrize("beginning", [b"", b"\x16", b"\x16\x03\x01\xff\xff" + bytes(300)])
async def test_who_leaves_or_talks_nonsense_costs_the_others_nothing(beginning: bytes) -> None:
    async with served() as port:
        client = await open_client(f"http://127.0.0.1:{port}")
        client.write(beginning)
        client.close()
        assert await echo(port) == b"hello"
