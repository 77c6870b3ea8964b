"""As much of a node's error is read as arrives in time; its raw bytes are kept for the client."""

from __future__ import annotations

import asyncio

import pytest

from casedesk_proxy.replying.node_errors import MAX_ERROR_BYTES
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.upstream.error_bodies import read_words
from casedesk_proxy.wire.http1 import parse_response_head
from tests.server.transports import RecordingTransport

LENGTH = parse_response_head(b"HTTP/1.1 400 X\r\nContent-Length: 9")
CHUNKED = parse_response_head(b"HTTP/1.1 400 X\r\nTransfer-Encoding: chunked")
CLOSE = parse_response_head(b"HTTP/1.1 400 X")


def connected(early: bytes) -> tuple[NodeConnection, RecordingTransport]:
    connection, transport = NodeConnection(asyncio.get_running_loop()), RecordingTransport()
    transport.set_protocol(connection)
    connection.connection_made(transport)
    connection.buffered_body = early
    return connection, transport


async def read(early: bytes, *later: bytes | None, head: object = LENGTH) -> tuple[bytes, bytes]:
    """The content, and the raw bytes. None among ``later``: the connection is lost."""
    connection, transport = connected(early)
    loop = asyncio.get_running_loop()
    reading = asyncio.ensure_future(read_words(loop, connection, head, 60.0))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    for piece in later:
        protocol = transport.get_protocol()
        assert isinstance(protocol, asyncio.Protocol)
        if piece is None:
            protocol.connection_lost(None)
        else:
            protocol.data_received(piece)
    return await reading, connection.buffered_body


async def test_a_body_that_came_with_its_head() -> None:
    assert await read(b"too large") == (b"too large", b"too large")


async def test_a_body_in_pieces() -> None:
    assert await read(b"too", b" lar", b"ge") == (b"too large", b"too large")


async def test_a_chunked_body_is_kept_as_it_was_sent() -> None:
    wire = b"3\r\ntoo\r\n6\r\n large\r\n0\r\n\r\n"
    assert await read(wire[:7], wire[7:], head=CHUNKED) == (b"too large", wire)


@pytest.mark.parametrize("head", [LENGTH, CLOSE])
async def test_a_lost_connection_ends_the_wait(head: object) -> None:
    assert await read(b"too", None, head=head) == (b"too", b"too")


async def test_chunks_that_are_malformed_end_the_wait() -> None:
    assert await read(b"3\r\ntoo\r\n", b"nonsense\r\n", head=CHUNKED) == (
        b"too", b"3\r\ntoo\r\nnonsense\r\n",
    )  # fmt: skip


async def test_a_large_error_is_not_read_to_its_end() -> None:
    content, _ = await read(b"x", bytes(MAX_ERROR_BYTES), head=CLOSE)
    assert len(content) == MAX_ERROR_BYTES + 1


async def test_an_error_that_never_ends_is_given_up() -> None:
    connection, transport = connected(b"too")
    loop = asyncio.get_running_loop()
    assert await read_words(loop, connection, LENGTH, 0.001) == b"too"
    assert transport.get_protocol() is connection
