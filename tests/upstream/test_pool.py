"""Connections are reused while fresh, and closed when idle for long, stale or unclean."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from casedesk_proxy.turns import Turns
from casedesk_proxy.upstream.delayed_acks import DelayedAcks
from casedesk_proxy.upstream.pool import IDLE_TIMEOUT_S, ConnectionPool, NodeAddress
from tests.fixtures.raw_node import RawNode, raw_node


@pytest.fixture
def idle_timeout_s() -> float:
    return IDLE_TIMEOUT_S


@pytest.fixture
async def peer(idle_timeout_s: float) -> AsyncIterator[tuple[RawNode, ConnectionPool]]:
    loop = asyncio.get_running_loop()
    async with raw_node() as node:
        pool = ConnectionPool(
            loop, NodeAddress("127.0.0.1", node.port), idle_timeout_s=idle_timeout_s
        )
        yield node, pool
        pool.close()


async def test_the_last_given_back_is_reused_first(peer: tuple[RawNode, ConnectionPool]) -> None:
    _, pool = peer
    first, second = await pool.open(), await pool.open()
    pool.give_back(first, keep_alive=True)
    pool.give_back(second, keep_alive=True)
    assert pool.reuse() is second
    assert pool.reuse() is first
    assert pool.reuse() is None
    first.abort()
    second.abort()


async def test_a_node_that_closes_is_not_reused(peer: tuple[RawNode, ConnectionPool]) -> None:
    node, pool = peer
    connection = await pool.open()
    pool.give_back(connection, keep_alive=True)
    (await node.connection()).close()
    while not connection.lost:
        await asyncio.sleep(0)
    assert pool.reuse() is None


async def test_a_node_that_says_close_is_closed(peer: tuple[RawNode, ConnectionPool]) -> None:
    node, pool = peer
    pool.give_back(await pool.open(), keep_alive=False)
    await (await node.connection()).until_gone()
    assert pool.reuse() is None


@pytest.mark.parametrize("idle_timeout_s", [0.05])
async def test_idle_connections_expire(peer: tuple[RawNode, ConnectionPool]) -> None:
    node, pool = peer
    pool.give_back(await pool.open(), keep_alive=True)
    await (await node.connection()).until_gone()
    assert pool.reuse() is None


async def test_nobody_listens() -> None:
    pool = ConnectionPool(asyncio.get_running_loop(), NodeAddress("127.0.0.1", 1))
    with pytest.raises(OSError, match="Connect"):
        await pool.open()


@pytest.mark.parametrize("delayed", [True, False])
async def test_acknowledgements_are_delayed_where_the_node_does_not_wait(
    peer: tuple[RawNode, ConnectionPool], delayed: bool
) -> None:
    _, pool = peer
    loop = asyncio.get_running_loop()
    pool.acks = DelayedAcks(loop, Turns(loop)) if delayed else None
    connection = await pool.open()
    assert connection.transport is not None
    sock = connection.transport.get_extra_info("socket")
    quick = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK)
    connection.abort()
    assert bool(quick) is not delayed
