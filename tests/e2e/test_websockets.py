"""The `websockets` library on both sides of the proxy: /v1/realtime."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from tests.fixtures.proxy import RunningGateway, key_entry, proxy_here

TOKEN = "cdp-the-token"
KEY = "openai-insecure-api-key."
Talk = Callable[[ServerConnection], Awaitable[None]]


async def echo(connection: ServerConnection) -> None:
    await connection.send(json.dumps({"type": "session.created"}))
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def stage(talk: Talk = echo, **node: Any) -> AsyncIterator[tuple[RunningGateway, Any]]:
    """A node with this conversation, the proxy in front of it, and the records of the proxy's
    exchanges."""
    async with serve(talk, "127.0.0.1", 0, subprotocols=[Subprotocol("realtime")]) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        config = {
            "nodes": {"n": {"url": url, "engine": "vllm", "models": ["voxtral"], **node}},
            "deployments": {"d": {"nodes": ["n"], "aliases": {"gpt-realtime": "voxtral"}}},
            "keys": [key_entry(TOKEN, "d")],
        }
        async with proxy_here(config) as proxy:
            yield proxy, server


def dial(proxy: RunningGateway, path: str = "/v1/realtime", **more: Any) -> connect:
    more["additional_headers"] = {"Authorization": f"Bearer {TOKEN}"}
    more["subprotocols"] = [Subprotocol("realtime")]
    return connect(proxy.url.replace("http", "ws", 1) + path, **more)


def records(proxy: RunningGateway) -> list[ExchangeRecord]:
    ended: list[ExchangeRecord] = []
    proxy.sinks.append(ended.append)
    return ended


async def until(claim: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not claim():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("path", ["/v1/realtime", "/proxy/d/openai/v1/realtime?model=gpt-realtime"])
async def test_messages_go_both_ways(path: str) -> None:
    seen: list[str] = []

    async def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.append(connection.request.path)
        assert "authorization" not in connection.request.headers
        await echo(connection)

    async with stage(talk) as (proxy, _):
        ended = records(proxy)
        async with dial(proxy, path) as client:
            assert json.loads(await client.recv()) == {"type": "session.created"}
            states = proxy.gateway.dispatcher.slots.states
            assert states["n"].in_flight == 1, "it takes one slot"
            for message in ("hi", os.urandom(70_000), "x" * 200, ""):
                await client.send(message)
                assert await client.recv() == message
        await until(lambda: ended)
        assert states["n"].in_flight == 0
    assert seen == ["/v1/realtime" + ("?model=voxtral" if "?" in path else "")]
    (record,) = ended
    assert (record.status, record.terminal, record.code) == (101, Terminal.COMPLETED, "")
    assert (record.action, record.model, record.node) == ("realtime", "voxtral", "n")
    assert record.received > 70_000
    assert record.sent > 70_000


async def test_a_browser_s_key_is_a_subprotocol_that_no_node_sees() -> None:
    offered: list[str] = []

    async def talk(connection: ServerConnection) -> None:
        assert connection.request is not None
        offered.append(connection.request.headers["Sec-WebSocket-Protocol"])
        await connection.send("hi")

    async with stage(talk) as (proxy, _):
        url = proxy.url.replace("http", "ws", 1) + "/v1/realtime"
        names = [Subprotocol("realtime"), Subprotocol(KEY + TOKEN)]
        async with connect(url, subprotocols=names) as client:
            assert client.subprotocol == "realtime"
            assert await client.recv() == "hi"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, subprotocols=[Subprotocol(KEY + "cdp-wrong")]):
                pass
        assert refused.value.response.status_code == 401
    assert offered == ["realtime"]


async def test_a_stop_closes_both_sides_with_1012() -> None:
    closed: list[int | None] = []

    async def talk(connection: ServerConnection) -> None:
        await connection.wait_closed()
        closed.append(connection.close_code)

    async with stage(talk) as (proxy, _):
        ended = records(proxy)
        async with dial(proxy) as client:
            draining = asyncio.ensure_future(proxy.gateway.drain(0.02))
            with pytest.raises(ConnectionClosed) as caught:
                await client.recv()
            await draining
            await until(lambda: closed and ended)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1012
    assert caught.value.rcvd.reason == "the service is shutting down; retry shortly"
    assert closed == [1012]
    assert ended[0].terminal is Terminal.SHUT_DOWN


async def test_a_lost_node_closes_with_1011() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send("hi")
        await connection.recv()
        connection.transport.abort()

    async with stage(talk) as (proxy, _):
        ended = records(proxy)
        async with dial(proxy) as client:
            assert await client.recv() == "hi"
            await client.send("die")
            with pytest.raises(ConnectionClosed) as caught:
                await client.recv()
        await until(lambda: ended)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1011
    assert "without closing the WebSocket" in caught.value.rcvd.reason
    assert (ended[0].terminal, ended[0].code) == (Terminal.NODE_BROKE, "node_broke")


async def test_a_client_that_goes_frees_its_node() -> None:
    gone = asyncio.Event()

    async def talk(connection: ServerConnection) -> None:
        await connection.send("hi")
        await connection.wait_closed()
        gone.set()

    async with stage(talk) as (proxy, _):
        ended = records(proxy)
        client: ClientConnection
        async with dial(proxy) as client:
            await client.recv()
            client.transport.abort()
            await gone.wait()
        await until(lambda: ended)
    assert ended[0].terminal is Terminal.CLIENT_GONE


async def test_silence_ends_it() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with stage(talk, idle_timeout="50ms") as (proxy, _):
        ended = records(proxy)
        async with dial(proxy) as client:
            with pytest.raises(ConnectionClosed) as caught:
                await client.recv()
        await until(lambda: ended)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1001
    assert ended[0].terminal is Terminal.TIMED_OUT


async def test_who_reads_slowly_pauses_the_other_side() -> None:
    sent = 0

    async def talk(connection: ServerConnection) -> None:
        nonlocal sent
        while True:
            await connection.send(b"x" * 100_000)
            sent += 1

    async with stage(talk) as (proxy, _), dial(proxy, max_queue=1, compression=None) as client:
        await client.recv()
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.2)
        assert sent < 400, "what nobody reads is not piled up"
        for _ in range(sent):
            await client.recv()
        assert sent > before


async def test_what_is_no_handshake_is_told_so() -> None:
    async with stage() as (proxy, _):
        with pytest.raises(InvalidStatus) as unknown:
            async with dial(proxy, "/v1/realtime?model=nope"):
                pass
        assert unknown.value.response.status_code == 404
        assert b"'nope' is not served here" in unknown.value.response.body
