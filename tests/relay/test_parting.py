"""A connection is ended so that its peer cannot take the end for a regular one."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from casedesk_proxy.relay.parting import part_with, reset
from casedesk_proxy.replying.endings import Parting
from tests.fixtures.clock import Clock
from tests.fixtures.table import table
from tests.server.transports import RecordingTransport


class Unread(RecordingTransport):
    """Its client does not read what was written."""

    def get_write_buffer_size(self) -> int:
        return 7


@table(
    ("parting", "asked"),
    [
        (Parting.CLOSE, ["close"]),
        (Parting.ABORT, ["abort"]),
        (Parting.RESET, ["abort"]),
        (Parting.KEEP, []),
    ],
)
def test_each_parting(parting: Parting, asked: list[str]) -> None:
    client = RecordingTransport()
    part_with(Clock().loop, client, parting, Parting.RESET)
    assert client.asked == asked


def test_a_client_that_does_not_read_is_dropped_in_the_end() -> None:
    clock, client = Clock(), Unread()
    part_with(clock.loop, client, Parting.CLOSE, Parting.ABORT)
    clock.advance(29.0)
    assert client.asked == ["close"]
    clock.advance(2.0)
    assert client.asked == ["close", "abort"]


async def test_a_reset_is_no_end_of_a_message() -> None:
    """The peer gets ConnectionResetError instead of an end, and not the bytes that were unsent."""
    opened: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()

    class Server(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            opened.set_result(transport)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as peer:
        reset(await opened)
        peer.settimeout(10)
        with pytest.raises(ConnectionResetError):
            await asyncio.to_thread(peer.recv, 1)
    server.close()
