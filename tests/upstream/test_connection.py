"""A connection to a node: heads with every split, interim replies, and every kind of failure."""

from __future__ import annotations

import asyncio

import pytest

from casedesk_proxy.upstream.connection import (
    MAX_INTERIM_REPLIES,
    ConnectionBroken,
    NodeConnection,
)
from casedesk_proxy.wire.http1 import MAX_HEAD_BYTES, BodyFraming, ResponseHead
from tests.server.transports import RecordingTransport

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


async def ask(*pieces: bytes | Exception | None) -> tuple[NodeConnection, ResponseHead]:
    """Send a request on a connection on which these pieces arrive; None is a close."""
    connection = NodeConnection(asyncio.get_running_loop())
    transport = RecordingTransport()
    transport.set_protocol(connection)
    connection.connection_made(transport)
    asking = asyncio.ensure_future(connection.send_request(b"REQUEST"))
    await asyncio.sleep(0)
    assert transport.written == b"REQUEST"
    for piece in pieces:
        if isinstance(piece, bytes):
            connection.data_received(piece)
        else:
            connection.connection_lost(piece)
    return connection, await asking


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_a_head_in_pieces(size: int) -> None:
    wire = HEAD + b"hello"
    pieces = [wire[start : start + size] for start in range(0, len(wire), size)]
    connection, head = await ask(*pieces)
    assert (head.status, head.body, head.length) == (200, BodyFraming.LENGTH, 5)
    assert connection.buffered_body == b"hello"
    assert not connection.is_reusable()


async def test_interim_replies_are_passed_over() -> None:
    _, head = await ask(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + HEAD
    )
    assert head.status == 200


LONG = b"HTTP/1.1 200 OK\r\nX: " + bytes(MAX_HEAD_BYTES)


@pytest.mark.parametrize(
    ("wire", "why"),
    [(LONG, "head too large"), (LONG + b"\r\n\r\na body\n\n", "head too large"),
     (HEAD.replace(b"\r", b""), "LF alone")],
)  # fmt: skip
async def test_what_cannot_become_a_head_is_refused(wire: bytes, why: str) -> None:
    with pytest.raises(ConnectionBroken, match=why):
        await ask(wire)


INTERIM = b"HTTP/1.1 102 Processing\r\n\r\n"


@pytest.mark.parametrize("at_once", [True, False])
async def test_interim_replies_have_an_end(at_once: bool) -> None:
    """Reading 10 000 of them took 2 s, and their number was not limited."""
    many = [INTERIM] * (MAX_INTERIM_REPLIES + 1)
    with pytest.raises(ConnectionBroken, match="too many interim replies"):
        await ask(*([b"".join(many)] if at_once else many))
    _, head = await ask(INTERIM * MAX_INTERIM_REPLIES + HEAD)
    assert head.status == 200


async def test_interim_replies_are_counted_by_request() -> None:
    connection, _ = await ask(INTERIM * MAX_INTERIM_REPLIES + b"HTTP/1.1 204 No Content\r\n\r\n")
    for _ in range(2):
        waiter = connection.send_request(b"AGAIN")
        await asyncio.sleep(0)
        connection.data_received(INTERIM * MAX_INTERIM_REPLIES + b"HTTP/1.1 204 No Content\r\n\r\n")
        assert (await waiter).status == 204


@pytest.mark.parametrize(
    ("pieces", "silent"),
    [
        ([None], True),
        ([ConnectionResetError()], True),
        ([b"HTTP/1.1 2", None], False),
        ([b"SSH-2.0-OpenSSH\r\n\r\n"], False),
        ([b"HTTP/1.1 200 OK\nA: x\n", b"\n"], False),
        ([b"HTTP/1.1 101 Switching\r\n\r\n"], False),
        ([b"HTTP/1.1 200 OK\r\nA: " + b"x" * 40000], False),
        ([b"HTTP/1.1 200 OK\r\nA: " + b"x" * 40000 + b"\r\n\r\n"], False),
    ],
)
async def test_no_head(pieces: list[bytes | Exception | None], silent: bool) -> None:
    with pytest.raises(ConnectionBroken) as broken:
        await ask(*pieces)
    assert broken.value.silent is silent


@pytest.mark.parametrize("line", [b"", b"Upgrade: h2c\r\n"])
async def test_an_upgrade_to_anything_else_is_malformed(line: bytes) -> None:
    connection = NodeConnection(asyncio.get_running_loop())
    transport = RecordingTransport()
    transport.set_protocol(connection)
    connection.connection_made(transport)
    waiter = connection.send_request(b"ASK", upgrades=True)
    await asyncio.sleep(0)
    connection.data_received(b"HTTP/1.1 101 Switching Protocols\r\n" + line + b"\r\n")
    with pytest.raises(ConnectionBroken, match="something other than a WebSocket"):
        await waiter


async def test_a_lost_connection_is_not_asked() -> None:
    connection, _ = await ask(HEAD)
    connection.connection_lost(None)
    with pytest.raises(ConnectionBroken) as broken:
        await connection.send_request(b"AGAIN")
    assert broken.value.silent
    assert not connection.is_reusable()


async def test_much_that_comes_early_pauses_the_node() -> None:
    connection, _ = await ask(HEAD, b"x" * 300_000)
    transport = connection.transport
    assert isinstance(transport, RecordingTransport)
    assert transport.asked == ["pause"]
    connection.attach(asyncio.Protocol())
    assert transport.asked == ["pause", "resume"]


async def test_unasked_bytes_spoil_an_idle_connection() -> None:
    connection, _ = await ask(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert connection.is_reusable()
    connection.data_received(b"surprise")
    assert not connection.is_reusable()


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_request_waits_for_others_of_its_round_unless_its_reply_is_waited_for(
    at_once: bool,
) -> None:
    connection = NodeConnection(asyncio.get_running_loop())
    transport = RecordingTransport()
    transport.set_protocol(connection)
    connection.connection_made(transport)
    connection.send_request(b"REQUEST", at_once=at_once)
    assert transport.written == (b"REQUEST" if at_once else b"")
    await asyncio.sleep(0)
    assert transport.written == b"REQUEST"
