"""What /status reports about pools: running exchanges, the state of nodes, failovers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from casedesk_proxy.admin.pages import describe_status, is_ready, summarise
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import SSE, chat, chunk
from tests.server.pooled import Member, PoolStage, pooled

EVENT = b'data: {"choices":[{"delta":{"content":"w"},"finish_reason":"stop"}]}\n\n'


async def status(stage: PoolStage) -> dict[str, Any]:
    return describe_status(
        stage.gateway, await stage.gateway.count_phases(), asyncio.get_running_loop().time()
    )


async def until(stage: PoolStage, **wanted: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while {name: (await status(stage))["exchanges"][name] for name in wanted} != wanted:
            await asyncio.sleep(0.001)


async def test_where_exchanges_stand() -> None:
    speak, finish = asyncio.Event(), asyncio.Event()

    async def play(connection: NodeConnection) -> None:
        while True:
            await connection.request()
            await speak.wait()
            await connection.send(SSE, chunk(EVENT))
            await finish.wait()
            await connection.send(b"0\r\n\r\n")

    async with pooled(Member("a", play, ", max_streams: 1")) as stage:
        assert (await status(stage))["exchanges"] == {
            "arriving": 0, "queued": 0, "waiting": 0, "streaming": 0,
        }  # fmt: skip
        clients = [await stage.connect() for _ in range(3)]
        clients[0].write(chat())
        await until(stage, waiting=1)
        clients[1].write(chat())
        await until(stage, waiting=1, queued=1)
        clients[2].write(chat()[:-5])
        await until(stage, arriving=1)
        assert (await status(stage))["waiting"] == {"d": 1}
        speak.set()
        await until(stage, streaming=1, queued=1)
        assert (await status(stage))["nodes"]["a"]["full"] is True
        finish.set()
        await until(stage, waiting=0, streaming=0, queued=0)


async def test_nodes_and_failovers() -> None:
    async def good(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, chunk(EVENT), b"0\r\n\r\n")

    members = Member("a", None), Member("b", good, ", weight: 3")
    async with pooled(*members, deployment=", policy: ordered") as stage:
        client = await stage.connect()
        client.write(chat())
        await client.take_through(b"0\r\n\r\n")
        told = await status(stage)
        assert told["nodes"]["a"]["healthy"] is False
        assert "refused" in told["nodes"]["a"]["last_error"]
        assert abs(told["nodes"]["a"]["last_error_at"] - time.time()) < 10
        assert told["nodes"]["a"]["cooling_until"] > told["nodes"]["a"]["last_error_at"]
        assert told["nodes"]["b"]["healthy"] is True
        assert told["nodes"]["b"]["cooling_until"] is None
        assert told["nodes"]["b"]["weight"] == 3
        (failover,) = told["failovers"]
        assert abs(failover.pop("at") - time.time()) < 10
        assert failover == {
            "deployment": "d", "model": "m", "from": "a", "why": "connect", "to": "b",
        }  # fmt: skip


async def test_for_which_models_a_node_says_that_it_is_full() -> None:
    async def full(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 429 X\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n")

    async with pooled(Member("a", full)) as stage:
        assert (await status(stage))["nodes"]["a"]["full_for"] == []
        assert (await stage.ask(chat()))[0] == 429
        told = (await status(stage))["nodes"]["a"]
        assert (told["healthy"], told["full"], told["full_for"]) == (True, False, ["m"])
        assert (told["asked"], told["last_error"]) == (1, "it answered 429")


async def test_a_node_that_is_being_emptied_is_not_usable() -> None:
    async with pooled(Member("a", None, ", drain: true")) as stage:
        now = asyncio.get_running_loop().time()
        assert (await status(stage))["nodes"]["a"]["healthy"] is True
        assert (await status(stage))["ready"] is False
        assert not is_ready(stage.gateway, now)
        assert "0 of 1 nodes usable" in summarise(stage.gateway, now)
