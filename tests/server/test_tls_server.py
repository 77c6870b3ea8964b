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


async def test_a_hello_in_two_pieces_and_one_that_never_ends() -> None:
    async with served(timeout_s=0.2) as port:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        side = trusting().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        with pytest.raises(ssl.SSLWantReadError):
            side.do_handshake()
        hello = outgoing.read()
        async with connect(f"http://127.0.0.1:{port}") as client:
            await client.send(hello[:100], hello[100:])
            await client.until(lambda: client.unread or None)
            incoming.write(await client.take(len(client.unread)))
            side.do_handshake()
            # Our part of it is never sent.
            assert await client.rest() == b""


@pytest.mark.parametrize("beginning", [b"", b"\x16", b"\x16\x03\x01\xff\xff" + bytes(300)])
async def test_who_leaves_or_talks_nonsense_costs_the_others_nothing(beginning: bytes) -> None:
    async with served() as port:
        client = await open_client(f"http://127.0.0.1:{port}")
        client.write(beginning)
        client.close()
        assert await echo(port) == b"hello"
