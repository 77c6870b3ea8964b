"""An upgraded connection is released in every case, and its node gets the result."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.relay.upgrade import Upgrade
from casedesk_proxy.relay.watch import Watch
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.upstream.lease import LeasedReply
from casedesk_proxy.wire.http1 import parse_response_head
from tests.server.clients import FakeClient, request_of
from tests.server.transports import RecordingTransport

WIRE = b"GET /v1/realtime HTTP/1.1\r\nHost: h\r\n\r\n"
HEAD = parse_response_head(
    b"HTTP/1.1 101 X\r\nServer: uvicorn\r\nSec-WebSocket-Accept: abc\r\nUpgrade: websocket\r\n"
    b"Set-Cookie: a=b\r\nSec-WebSocket-Protocol: realtime"
)


class Lease:
    """``ended``: the faults with which the lease was ended."""

    def __init__(self) -> None:
        self.connection = NodeConnection(asyncio.get_running_loop())
        self.connection.connection_made(RecordingTransport())
        self.node = None
        self.ended: list[NodeFault | None] = []

    def begin(self, stream: object) -> None: ...

    def end(self, *, clean: bool, fault: NodeFault | None = None) -> None:
        assert not clean
        self.ended.append(fault)

    def abandon(self) -> None:
        self.ended.append(None)


class Deployment:
    client_stall_timeout = 9.0

    def idle_timeout(self, node: object) -> float:
        return 9.0


def upgraded() -> tuple[Upgrade, FakeClient, Lease, Watch]:
    loop, client, lease = asyncio.get_running_loop(), FakeClient(), Lease()
    watch = Watch(loop)
    reply = LeasedReply(cast(Any, lease), HEAD, cast(Any, None), "m")
    return Upgrade(request_of(client, WIRE), reply, "req-1", watch), client, lease, watch


async def test_the_handshake_goes_on_and_nothing_else_of_the_head() -> None:
    upgrade, client, lease, watch = upgraded()
    upgrade.begin(cast(Any, Deployment()))
    assert client.transport.written == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: abc\r\nSec-WebSocket-Protocol: realtime\r\n"
        b"x-request-id: req-1\r\n\r\n"
    )
    assert watch.relays == [upgrade.tunnel]
    begun = await upgrade.beginning()
    assert (begun.is_granted, begun.is_refused, begun.is_lost) == (False, False, False)
    upgrade.tunnel.connection_lost(None)
    await upgrade.wait()
    delivered = upgrade.close()
    assert (delivered.facts.status, delivered.facts.terminal) == (101, Terminal.NODE_BROKE)
    assert not delivered.keep_alive
    assert lease.ended == [NodeFault.BROKE]
    assert watch.relays == []
    assert client.relay is None


@pytest.mark.parametrize("left", [False, True])
async def test_what_is_closed_while_it_runs(left: bool) -> None:
    upgrade, client, lease, _ = upgraded()
    upgrade.begin(cast(Any, Deployment()))
    if left:
        client.gone_at = 1.0
    delivered = upgrade.close(excused=True)
    assert delivered.facts.terminal is (Terminal.CLIENT_GONE if left else Terminal.SHUT_DOWN)
    assert lease.ended == [None]


async def test_bugs_leave_nothing_taken() -> None:
    upgrade, client, lease, _ = upgraded()
    upgrade.begin(cast(Any, None))
    assert upgrade.tunnel.terminal is Terminal.FAILED
    upgrade.abandon()
    assert lease.ended == [None]
    assert client.relay is None
