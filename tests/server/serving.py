"""A PublicServer whose handler echoes, for tests of a client's connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from casedesk_proxy.errors import BadRequest, Busy, ProxyError, TooLarge
from casedesk_proxy.relay.pace import Pace
from casedesk_proxy.relay.parties import Client
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.server.limits import ServerLimits
from casedesk_proxy.server.public import PublicServer
from tests.fixtures.raw_client import RawClient, open_client

LIMIT = 1000
#: Bytes that no two sockets' buffers hold.
SO_MUCH = 24 * 2**20
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


class Served:
    """A PublicServer whose handler echoes bodies, and what it saw. ``pause_s``: how long it waits
    for more of a body."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes]] = []
        self.faults: list[ProxyError] = []
        self.rejected: list[ProxyError] = []
        self.began = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.port = 0
        self.last = False
        self.rate = 0
        self.pause_s = 20.0
        self.server: PublicServer
        self.go_on = asyncio.Event()

    async def echo(self, request: ClientRequest) -> bool:
        transport = request.client.flushed_transport()
        assert transport is not None
        try:
            body = await request.read(LIMIT, Pace(self.pause_s, max(self.rate * self.pause_s, 1)))
        except (BadRequest, TooLarge) as error:
            self.faults.append(error)
            transport.write(OK % (5, b"fault"))
            return request.head.keep_alive and request.complete
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        self.seen.append((request.head.target, body))
        transport.write(OK % (len(body), body))
        return request.head.keep_alive

    async def refuse(self, request: ClientRequest) -> bool:
        request.client.write(OK % (7, b"refused"))
        return request.complete

    async def soon(self, request: ClientRequest) -> bool:
        """Answer as short replies are sent; for the target /now, write at once."""
        body = await request.read(LIMIT, Pace(self.pause_s, 1))
        transport = request.client.flushed_transport()
        assert transport is not None
        send = transport.write if request.head.target == "/now" else request.client.write_whole
        send(OK % (len(body), body))
        return request.head.keep_alive and not self.last

    async def late(self, request: ClientRequest) -> bool:
        """Return the body once the test allows it."""
        transport = request.client.flushed_transport()
        assert transport is not None
        try:
            body = await request.read(LIMIT, Pace(self.pause_s, 1))
        except Busy as error:
            transport.write(OK.replace(b"200", b"%d" % error.status) % (0, b""))
            return False
        self.began.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        transport.write(OK % (len(body), body))
        return request.head.keep_alive

    async def swallow(self, request: ClientRequest) -> bool:
        """Accept a body of any size."""
        body = await request.read(2**30, Pace(5.0, 1))
        transport = request.client.flushed_transport()
        assert transport is not None
        transport.write(OK % (0, b""))
        self.seen.append((request.head.target, body))
        return request.head.keep_alive

    async def large(self, request: ClientRequest) -> bool:
        """Send more than kernels buffer."""
        transport = request.client.flushed_transport()
        assert transport is not None
        self.seen.append((request.head.target, b""))
        transport.write(OK % (SO_MUCH, bytes(SO_MUCH)))
        return request.head.keep_alive

    async def hang(self, request: ClientRequest) -> bool:
        self.began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return True

    def reject(self, client: Client, data: bytes, error: ProxyError) -> None:
        self.rejected.append(error)
        client.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % error.status)


@asynccontextmanager
async def serving(
    how: str = "echo",
    *,
    head_timeout_s: float = 5.0,
    idle_timeout_s: float = 5.0,
    handshake_timeout_s: float = 0.0,
    pause_s: float = 20.0,
    path: str | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[Served, Callable[[], Awaitable[RawClient]]]]:
    served = Served()
    served.rate, served.pause_s = settings.get("min_rate", 0), pause_s
    factory = PublicServer(
        getattr(served, how), served.reject,
        head_timeout_s=head_timeout_s, idle_timeout_s=idle_timeout_s,
        handshake_timeout_s=handshake_timeout_s, limits=lambda: ServerLimits(**settings),
    )  # fmt: skip
    served.server = factory
    loop = asyncio.get_running_loop()
    server: asyncio.Server
    if path is None:
        server = await loop.create_server(factory, "127.0.0.1", 0)
        served.port = server.sockets[0].getsockname()[1]
    else:
        server = await loop.create_unix_server(factory, path)
    url = f"http://127.0.0.1:{served.port}" if path is None else f"unix:{path}"
    clients: list[RawClient] = []

    async def connect() -> RawClient:
        clients.append(await open_client(url))
        return clients[-1]

    try:
        yield served, connect
    finally:
        for client in clients:
            await client.end()
        server.close()
        await factory.close(0.1)
        await server.wait_closed()


def post(body: bytes, target: str = "/x", extra: str = "") -> bytes:
    head = f"POST {target} HTTP/1.1\r\nHost: h\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def chunked(*chunks: bytes, extra: str = "") -> bytes:
    head = f"POST /x HTTP/1.1\r\nHost: h\r\n{extra}Transfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"


async def read_reply(client: RawClient) -> tuple[int, bytes]:
    """Status and body of the next reply; interim replies before it are skipped."""
    reply = await client.reply()
    while reply.status < 200:
        reply = await client.reply()
    assert reply.complete
    return reply.status, reply.body
