"""A node's connection is passed on without any state of the previous exchange. Each state of a
transport is either reset at that point or keeps the connection out of the pool."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from casedesk_proxy.upstream.connection import ConnectionBroken, NodeConnection
from casedesk_proxy.upstream.pool import ConnectionPool, NodeAddress
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_node import NodeConnection as NodeSide
from tests.fixtures.raw_node import RawNode, raw_node
from tests.fixtures.raw_peer import PeerGone

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def used() -> AsyncIterator[tuple[ConnectionPool, NodeConnection, NodeSide]]:
    """A connection that has carried one exchange, and the node's side of it."""
    async with raw_node() as node:
        pool = ConnectionPool(asyncio.get_running_loop(), NodeAddress("127.0.0.1", node.port))
        connection = await pool.open()
        side = await exchange(connection, node)
        try:
            yield pool, connection, side
        finally:
            pool.close()
            connection.abort()


async def exchange(connection: NodeConnection, node: RawNode) -> NodeSide:
    waiter = connection.send_request(REQUEST)
    side = await node.connection()
    await side.request()
    side.write(REPLY)
    assert (await waiter).status == 200
    return side


async def again(connection: NodeConnection, side: NodeSide) -> None:
    """Carry another exchange on it."""
    waiter = connection.send_request(REQUEST)
    await asyncio.wait_for(side.request(), PATIENCE_S)
    side.write(REPLY)
    assert (
        await asyncio.wait_for(asyncio.ensure_future(_awaited(waiter)), PATIENCE_S)
    ).status == 200


async def _awaited(waiter: object) -> object:
    return await waiter  # type: ignore[misc]


def state(connection: NodeConnection) -> tuple[object, ...]:
    """All that a transport could keep from one exchange to the next."""
    transport = connection.transport
    assert transport is not None
    sock = transport.get_extra_info("socket")
    return (
        transport.get_protocol() is connection,
        transport.is_reading(),
        transport.is_closing(),
        transport.get_write_buffer_size(),
        transport.get_write_buffer_limits(),
        sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
        connection.buffered_body,
        connection._buffer,
        connection._waiter,
        dict(connection._deadlines._due),
        dict(connection._cork._held),
    )


async def test_a_paused_connection_is_handed_on_reading() -> None:
    async with used() as (pool, connection, side):
        fresh = state(connection)
        lent = connection.attach(asyncio.Protocol())
        assert lent is not None
        lent.pause_reading()
        connection.detach()
        pool.give_back(connection, keep_alive=True)
        reused = pool.reuse()
        assert reused is connection
        assert state(connection) == fresh
        await again(connection, side)


async def test_a_connection_that_still_does_not_read_is_not_handed_on() -> None:
    async with used() as (pool, connection, side):
        assert connection.transport is not None
        connection.transport.pause_reading()
        pool.give_back(connection, keep_alive=True)
        assert pool.reuse() is None
        await side.until_gone()


async def test_a_connection_that_is_still_lent_is_not_handed_on() -> None:
    async with used() as (pool, connection, side):
        connection.attach(asyncio.Protocol())
        pool.give_back(connection, keep_alive=True)
        assert pool.reuse() is None
        await side.until_gone()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_connection_with_bytes_unread_is_not_handed_on(when: str) -> None:
    async with used() as (pool, connection, side):
        if when == "after":
            pool.give_back(connection, keep_alive=True)
        side.write(b"surplus")
        while not connection.buffered_body:
            await asyncio.sleep(0)
        if when == "before":
            pool.give_back(connection, keep_alive=True)
        assert pool.reuse() is None
        await side.until_gone()


async def test_a_connection_with_bytes_unsent_is_not_handed_on() -> None:
    """A node may reply before it has read the request."""
    async with used() as (pool, connection, side):
        assert connection.transport is not None
        side.stop_reading()
        waiter = connection.send_request(b"x" * 20_000_000)
        while not connection.transport.get_write_buffer_size():
            await asyncio.sleep(0)
        side.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        assert (await waiter).status == 413
        pool.give_back(connection, keep_alive=True)
        assert pool.reuse() is None
        side.go_on_reading()
        await side.until_gone()


async def test_a_connection_with_a_request_held_back_is_not_handed_on() -> None:
    async with used() as (pool, connection, side):
        assert connection.transport is not None
        connection._cork.write(connection.transport, REQUEST)
        pool.give_back(connection, keep_alive=True)
        assert pool.reuse() is None
        await side.until_gone()


async def test_a_connection_that_waits_for_a_reply_is_not_handed_on() -> None:
    async with used() as (pool, connection, side):
        connection.send_request(REQUEST, within_s=60)
        await side.request()
        pool.give_back(connection, keep_alive=True)
        assert pool.reuse() is None
        assert not connection._deadlines._due
        await side.until_gone()


async def test_no_deadline_outlives_its_exchange() -> None:
    async with used() as (_, connection, side):
        waiter = connection.send_request(REQUEST, within_s=60)
        await side.request()
        side.write(REPLY)
        assert (await waiter).status == 200
        assert not connection._deadlines._due


async def test_what_comes_before_the_request_is_written_is_no_reply_to_it() -> None:
    """For example a load balancer's 408 on an idle connection that is used again in the same
    round."""
    async with used() as (pool, connection, side):
        pool.give_back(connection, keep_alive=True)
        connection = pool.reuse() or connection
        waiter = connection.send_request(REQUEST)
        connection.data_received(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(ConnectionBroken) as broken:
            await waiter
        assert broken.value.silent, "the request may be repeated"
        with pytest.raises(PeerGone):
            await side.request()
