"""A relay has the node's connection until it lets go; afterwards nothing is done to it."""

from __future__ import annotations

import asyncio

from casedesk_proxy.relay.node_side import NodeSide
from casedesk_proxy.upstream.connection import NodeConnection
from tests.server.transports import RecordingTransport


def attached(early: bytes = b"") -> tuple[NodeSide, NodeConnection, RecordingTransport]:
    connection, transport = NodeConnection(asyncio.get_running_loop()), RecordingTransport()
    transport.set_protocol(connection)
    connection.connection_made(transport)
    connection.buffered_body = early
    side = NodeSide()
    assert side.take(connection) == early
    assert side.attach(asyncio.Protocol())
    transport.asked.clear()
    return side, connection, transport


async def test_bytes_that_arrived_before_are_handed_over_once() -> None:
    _, connection, _ = attached(b"early")
    assert connection.buffered_body == b""


async def test_a_node_that_has_left_cannot_be_attached() -> None:
    connection = NodeConnection(asyncio.get_running_loop())
    connection.connection_made(RecordingTransport())
    connection.connection_lost(None)
    side = NodeSide()
    side.take(connection)
    assert not side.attach(asyncio.Protocol())
    side.pause()
    side.resume()
    assert not side.has_halves


async def test_backpressure_reaches_the_node() -> None:
    side, _, transport = attached()
    side.pause()
    side.resume()
    assert transport.asked == ["pause", "resume"]


async def test_after_a_clean_end_the_connection_has_its_own_protocol() -> None:
    side, connection, transport = attached()
    side.let_go(clean=True)
    assert transport.protocol is connection
    transport.asked.clear()
    side.pause()
    assert transport.asked == []


async def test_a_connection_in_the_middle_of_a_message_is_closed() -> None:
    side, _, transport = attached()
    side.let_go(clean=False)
    assert transport.asked == ["abort"]


async def test_only_a_plain_connection_has_halves() -> None:
    side, _, transport = attached()
    assert side.has_halves
    transport._extra["sslcontext"] = object()
    assert not side.has_halves


async def test_nothing_is_done_to_a_lost_node() -> None:
    side, _, transport = attached()
    side.lose()
    side.resume()
    assert side.is_lost
    assert transport.asked == []
