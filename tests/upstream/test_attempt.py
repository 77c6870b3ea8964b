"""An attempt that is cancelled leaves no connection open, at whatever moment that happens."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from casedesk_proxy.fastpath.fibers import Fiber
from casedesk_proxy.upstream.attempt import Attempt
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.upstream.pool import ConnectionPool
from tests.server.transports import RecordingTransport


class Pool:
    """Opens a connection in the given number of rounds of the loop."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.opened: list[RecordingTransport] = []

    def reuse(self) -> None:
        return None

    async def open(self) -> NodeConnection:
        for _ in range(self.rounds):
            await asyncio.sleep(0)
        connection = NodeConnection(asyncio.get_running_loop())
        self.opened.append(RecordingTransport())
        connection.connection_made(cast(Any, self.opened[-1]))
        return connection


@pytest.mark.parametrize("rounds", [0, 1, 2])
@pytest.mark.parametrize("later", range(6))
async def test_a_client_that_leaves_while_a_connection_opens(rounds: int, later: int) -> None:
    """One of the moments is when the connection has opened and the exchange does not know it
    yet."""
    loop, pool = asyncio.get_running_loop(), Pool(rounds)
    attempt = Attempt("n", cast(ConnectionPool, pool), b"ask", 9, 9, False, False)

    async def work() -> None:
        await attempt.run()

    ended = asyncio.Event()
    fiber = Fiber(loop, work(), lambda _: ended.set())
    fiber.start()

    def leave(rounds: int) -> None:
        if rounds:
            loop.call_soon(leave, rounds - 1)
        else:
            fiber.cancel()

    loop.call_soon(leave, later)
    await ended.wait()
    for _ in range(4):
        await asyncio.sleep(0)
    assert [one.is_closing() for one in pool.opened] == [True] * len(pool.opened)
