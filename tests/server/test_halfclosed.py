"""A client that shuts down its sending side after its request, as `nc -N` and some health checkers
do, gets its reply; one that closes releases its slot, although both send the same FIN."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from casedesk_proxy.relay.flow import Flow
from casedesk_proxy.turns import Turns
from tests.fixtures.raw_client import RawClient, open_client
from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import SSE, chat, chunk, staged
from tests.server.serving import chunked, post, read_reply, serving

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
UNARY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'


async def final(client: RawClient) -> bytes:
    """All that arrived, without interim replies."""
    data = await client.rest()
    while data.startswith(CONTINUE):
        data = data.removeprefix(CONTINUE)
    return data


@pytest.mark.parametrize("wire", [post(b"hello"), chunked(b"he", b"llo")])
async def test_its_reply_comes_late(wire: bytes) -> None:
    async with serving("late") as (served, connect):
        client = await connect()
        client.write(wire)
        client.half_close()
        assert await client.take(len(CONTINUE)) == CONTINUE
        served.go_on.set()
        data = await final(client)
        assert data.startswith(b"HTTP/1.1 200")
        assert data.endswith(b"hello")
        assert not served.cancelled.is_set()


async def test_all_that_was_sent_ahead_is_answered() -> None:
    async with serving() as (served, connect):
        client = await connect()
        client.write(b"".join(post(b"%d" % n) for n in range(200)))
        client.half_close()
        for n in range(200):
            assert await read_reply(client) == (200, b"%d" % n)
        assert await client.rest() == b""
        assert len(served.seen) == 200


async def test_a_body_in_crumbs_is_whole_in_the_end() -> None:
    async with serving() as (_, connect):
        client = await connect()
        client.write(chunked(*[b"x"] * 900))
        client.half_close()
        assert (await final(client)).endswith(b"x" * 900)


async def test_half_a_request_is_no_request() -> None:
    async with serving() as (served, connect):
        for half in (b"POST / HT", post(b"hello")[:-2], chunked(b"hello")[:-5]):
            client = await connect()
            client.write(half)
            client.half_close()
            assert await client.rest() == b""
        assert served.seen == []
        assert served.rejected == []


async def test_a_client_of_http10_has_left() -> None:
    """Such a client must not get an interim reply."""
    async with serving("late") as (served, connect):
        client = await connect()
        client.write(post(b"x").replace(b"HTTP/1.1", b"HTTP/1.0"))
        await served.began.wait()
        client.half_close()
        await served.cancelled.wait()
        assert await client.rest() == b""


async def test_one_that_waited_and_then_closes_is_found_out() -> None:
    async with serving("late") as (served, connect):
        client = await connect()
        client.write(post(b"x"))
        client.half_close()
        await client.take(len(CONTINUE))
        client.abort()
        await asyncio.wait_for(served.cancelled.wait(), 10)


@pytest.mark.parametrize("hops", [1, 2])
async def test_a_close_behind_forwarders_is_found_out(hops: int) -> None:
    """docker's proxy and `ssh -L` pass on a FIN, and learn of a close only when they write."""
    async with serving("late") as (served, _):
        port = served.port
        async with forwarding(port, hops) as port:
            client = await open_client(f"http://127.0.0.1:{port}")
            client.write(post(b"x"))
            await served.began.wait()
            client.close()
            await asyncio.wait_for(served.cancelled.wait(), 10)


@pytest.mark.parametrize("how", ["close", "half-close"])
async def test_a_unix_socket_tells_by_itself(tmp_path: Path, how: str) -> None:
    async with serving("late", path=str(tmp_path / "s")) as (served, connect):
        client = await connect()
        client.write(post(b"hello"))
        await served.began.wait()
        if how == "close":
            client.abort()
            await served.cancelled.wait()
            return
        client.half_close()
        for _ in range(5):
            await asyncio.sleep(0.01)
        served.go_on.set()
        assert (await client.rest()).startswith(b"HTTP/1.1 200")


async def test_in_a_crowd_a_reply_waits_until_it_is_known_who_stays(tmp_path: Path) -> None:
    asked: list[str] = []
    async with serving("late", path=str(tmp_path / "s")) as (served, connect):
        served.server.turns = Turns(asyncio.get_running_loop(), budget_s=0)
        client = await connect()
        client.write(post(b"hello"))
        await served.began.wait()
        (connection,) = served.server.connections
        flow = SimpleNamespace(
            pause=lambda: asked.append("pause"), resume=lambda: asked.append("resume"),
            leave=lambda _: asked.append("leave"),
        )  # fmt: skip
        connection.client.relay = cast(Flow, flow)
        client.half_close()
        while "resume" not in asked:
            await asyncio.sleep(0)
        served.go_on.set()
        assert (await client.rest()).startswith(b"HTTP/1.1 200")
    assert asked[:2] == ["pause", "resume"]


@pytest.mark.parametrize("stream", [True, False])
async def test_through_the_whole_proxy(stream: bool) -> None:
    go_on = asyncio.Event()

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await go_on.wait()
        if stream:
            await connection.send(SSE, chunk(EVENT), chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n")
        else:
            await connection.send(UNARY % 2, b"{}")

    async with staged(play) as stage:
        client = await stage.connect()
        client.write(chat(stream=stream))
        client.half_close()
        assert await client.take(len(CONTINUE)) == CONTINUE
        go_on.set()
        data = await final(client)
        assert data.startswith(b"HTTP/1.1 200")
        assert data.endswith(b"0\r\n\r\n" if stream else b"{}")
        assert stage.in_flight() == 0


@pytest.mark.parametrize("target", ["/v1/models", "/nowhere"])
async def test_what_needs_no_node_is_answered_at_once(target: str) -> None:
    async with staged(hang) as stage:
        for version in ("1.1", "1.0"):
            client = await stage.connect()
            client.write(f"GET {target} HTTP/{version}\r\nHost: h\r\n\r\n".encode())
            client.half_close()
            data = await client.rest()
            assert data.startswith(b"HTTP/1.1 200" if "models" in target else b"HTTP/1.1 404")


async def hang(connection: NodeConnection) -> None:
    await connection.until_gone()


@asynccontextmanager
async def forwarding(port: int, hops: int) -> AsyncIterator[int]:
    """A chain of forwarders that pass on a FIN as a FIN; the port of the first."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None]] = set()

    async def carry(target: int, near: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        far = await asyncio.open_connection("127.0.0.1", target)
        try:
            await asyncio.gather(copy(near[0], far[1]), copy(far[0], near[1]))
        except ConnectionError:
            pass
        finally:
            near[1].transport.abort()
            far[1].transport.abort()

    def make(target: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        return lambda *near: tasks.add(asyncio.ensure_future(carry(target, near)))

    for _ in range(hops):
        servers.append(await asyncio.start_server(make(port), "127.0.0.1", 0))
        port = servers[-1].sockets[0].getsockname()[1]
    try:
        yield port
    finally:
        for server in servers:
            server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
