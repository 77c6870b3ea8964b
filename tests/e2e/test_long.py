"""Long silences and many streams: nothing but the configured idle timeout ends a stream."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.e2e.relaying import STREAMS, asking, relay
from tests.fixtures.proxy import proxy_process
from tests.fixtures.raw_client import RawClient, connect
from tests.fixtures.raw_node import raw_node

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
QUICK = {"header_timeout": "150ms", "body_timeout": "150ms", "keepalive_timeout": "150ms"}


def event(number: int) -> bytes:
    data = b'data: {"n": %d}\n\n' % number
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.mark.parametrize("surface", ["gemini", "anthropic"])
@pytest.mark.parametrize("begun", [b"", HEAD, HEAD + event(1)], ids=["before", "head", "event"])
async def test_a_silent_stream_survives_every_other_timeout(surface: str, begun: bytes) -> None:
    """The configured timeouts are to this silence what the defaults are to ten minutes."""
    settings = {"server": QUICK, "deployment": {"client_stall_timeout": "150ms"}}
    async with relay(**settings) as (gateway, node), connect(gateway.url) as client:
        client.write(asking(STREAMS[surface]))
        connection = await node.connection()
        await connection.request()
        await connection.send(begun)
        await asyncio.sleep(1)
        await connection.send((HEAD + event(1))[len(begun) :] + event(2) + b"0\r\n\r\n")
        reply = await client.reply()
    assert reply.status == 200
    assert reply.complete
    assert reply.body == b'data: {"n": 1}\n\ndata: {"n": 2}\n\n'


@pytest.mark.parametrize("surface", ["gemini", "anthropic", "openai"])
async def test_a_node_too_long_silent_before_its_head(surface: str) -> None:
    async with relay(first_byte_timeout="200ms") as (gateway, node), connect(gateway.url) as client:
        client.write(asking(STREAMS[surface]))
        connection = await node.connection()
        reply = await asyncio.wait_for(client.reply(), 10)
        assert reply.status == 504
        assert json.loads(reply.body)["error"]["message"]
        await asyncio.wait_for(connection.until_gone(), 10)


async def test_a_node_too_long_silent_in_its_stream() -> None:
    async with relay(idle_timeout="200ms") as (gateway, node), connect(gateway.url) as client:
        client.write(asking(STREAMS["openai"]))
        connection = await node.connection()
        await connection.request()
        await connection.send(HEAD + event(1))
        reply = await asyncio.wait_for(client.reply(), 10)
        assert not reply.complete
        assert b'"error"' in reply.body
        await asyncio.wait_for(connection.until_gone(), 10)


async def test_a_client_that_stops_reading_is_given_up() -> None:
    stalling = {"client_stall_timeout": "300ms"}
    async with relay(deployment=stalling) as (gateway, node), connect(gateway.url) as client:
        client.write(asking(STREAMS["openai"]))
        connection = await node.connection()
        await connection.request()
        await connection.send(HEAD)
        await client.head()
        client.stop_reading()
        while not connection.is_clogged and not connection.gone.done():
            connection.write(b"10000\r\n" + bytes(65536) + b"\r\n")
            await asyncio.sleep(0)
        await asyncio.wait_for(connection.until_gone(), 10)


@pytest.mark.timeout(120)
async def test_two_thousand_streams_lose_nothing(tmp_path: Path) -> None:
    """All streams are open at once, at a proxy in a process of its own; every event of each
    arrives, in order."""
    count, rounds = 2000, 5
    async with raw_node() as node:
        speaks = {"speaks": ["openai"], "engine": "openai", "models": ["m"]}
        config = {
            "server": {"access_log": False},
            "nodes": {"n": {"url": node.url, **speaks}},
            "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
        }
        with proxy_process(tmp_path, config) as proxy:
            clients = [await _begin(proxy.url) for _ in range(count)]
            connections = [await node.connection() for _ in clients]
            await asyncio.gather(*(connection.request() for connection in connections))
            for connection in connections:
                connection.write(HEAD + event(0))
            await asyncio.gather(*(client.until_received(b'"n": 0') for client in clients))
            for number in range(1, rounds):
                for connection in connections:
                    connection.write(event(number))
                await asyncio.sleep(0)
            for connection in connections:
                connection.write(b"0\r\n\r\n")
            replies = await asyncio.gather(*(client.reply() for client in clients))
            await asyncio.gather(*(client.end() for client in clients))
    whole = b"".join(b'data: {"n": %d}\n\n' % number for number in range(rounds))
    assert [reply.body for reply in replies] == [whole] * count
    assert all(reply.complete for reply in replies)


async def _begin(url: str) -> RawClient:
    loop = asyncio.get_running_loop()
    host, _, port = url.rpartition("//")[2].partition(":")
    _, client = await loop.create_connection(RawClient, host, int(port))
    client.write(asking(STREAMS["openai"]))
    return client
