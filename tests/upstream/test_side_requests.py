"""A request beside a client's: which replies are its answer."""

from __future__ import annotations

import asyncio

import pytest

from casedesk_proxy.upstream.pool import ConnectionPool, NodeAddress
from casedesk_proxy.upstream.side_requests import fetch_beside
from tests.fixtures.raw_node import NodeConnection, raw_node


@pytest.mark.parametrize(
    ("status", "taken"), [(200, [b"7"]), (201, [b"7"]), (202, []), (400, []), (503, [])]
)
async def test_what_is_an_answer(status: int, taken: list[bytes]) -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 %d X\r\nContent-Length: 1\r\n\r\n7" % status)
        await connection.until_gone()

    got: list[bytes] = []
    async with raw_node(play=play) as node:
        pool = ConnectionPool(asyncio.get_running_loop(), NodeAddress("127.0.0.1", node.port))
        await fetch_beside(pool, b"POST /tokenize HTTP/1.1\r\nHost: h\r\n\r\n", got.append)
        pool.close()
    assert got == taken
