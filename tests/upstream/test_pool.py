"""Connections are reused while fresh, and closed when idle for long, stale or unclean."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from casedesk_proxy.upstream.pool import IDLE_TIMEOUT_S, ConnectionPool


class Peer:
    """A listening node: counts its connections and tells when one closes."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed = asyncio.Event()
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.writers.append(writer)
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        writer.close()
        self.closed.set()


@pytest.fixture
def idle_timeout_s() -> float:
    return IDLE_TIMEOUT_S


@pytest.fixture
async def peer(idle_timeout_s: float) -> AsyncIterator[tuple[Peer, ConnectionPool]]:
    peer = Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    pool = ConnectionPool(loop, "127.0.0.1", port, None, idle_timeout_s=idle_timeout_s)
    yield peer, pool
    pool.close()
    server.close()
    await server.wait_closed()


async def test_the_last_given_back_is_reused_first(peer: tuple[Peer, ConnectionPool]) -> None:
    _, pool = peer
    first, second = await pool.open(), await pool.open()
    pool.give_back(first, keep_alive=True)
    pool.give_back(second, keep_alive=True)
    assert pool.reuse() is second
    assert pool.reuse() is first
    assert pool.reuse() is None
    first.abort()
    second.abort()


async def test_a_node_that_closes_is_not_reused(peer: tuple[Peer, ConnectionPool]) -> None:
    node, pool = peer
    connection = await pool.open()
    pool.give_back(connection, keep_alive=True)
    while not node.writers:
        await asyncio.sleep(0)
    node.writers[0].close()
    while not connection.lost:
        await asyncio.sleep(0)
    assert pool.reuse() is None


async def test_a_node_that_says_close_is_closed(peer: tuple[Peer, ConnectionPool]) -> None:
    node, pool = peer
    pool.give_back(await pool.open(), keep_alive=False)
    await node.closed.wait()
    assert pool.reuse() is None


@pytest.mark.parametrize("idle_timeout_s", [0.05])
async def test_idle_connections_expire(peer: tuple[Peer, ConnectionPool]) -> None:
    node, pool = peer
    pool.give_back(await pool.open(), keep_alive=True)
    await node.closed.wait()
    assert pool.reuse() is None


async def test_nobody_listens() -> None:
    pool = ConnectionPool(asyncio.get_running_loop(), "127.0.0.1", 1, None)
    with pytest.raises(OSError, match="Connect"):
        await pool.open()


@pytest.mark.parametrize("delayed", [True, False])
async def test_acknowledgements_are_delayed_where_the_node_does_not_wait(
    peer: tuple[Peer, ConnectionPool], delayed: bool
) -> None:
    _, pool = peer
    pool._delayed_acks = delayed
    connection = await pool.open()
    assert connection.transport is not None
    sock = connection.transport.get_extra_info("socket")
    quick = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK)
    connection.abort()
    assert bool(quick) is not delayed
