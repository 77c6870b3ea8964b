"""A reply whose last bytes overfill its client's buffer: the node's connection, which that pauses,
is handed on reading all the same (tests/e2e/test_large.py: the same over sockets)."""

from __future__ import annotations

import asyncio

import pytest

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.relay.continued import ContinuedArray
from casedesk_proxy.relay.refusing import RefusalRelay
from casedesk_proxy.relay.relay import ReframingRelay, Relay
from casedesk_proxy.relay.transposing import TransposingRelay
from casedesk_proxy.relay.verbatim import VerbatimRelay
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.chunked import ChunkReader
from casedesk_proxy.wire.http1 import parse_response_head
from tests.relay.test_transposing import Shouting
from tests.server.transports import RecordingTransport


def chunked(*bodies: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in bodies) + b"0\r\n\r\n"


class Overfull(RecordingTransport):
    """A client's transport that is beyond its limit with every write, and says so within it."""

    relay: Relay | None = None

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.relay is not None:
            self.relay.pause()


def no_ending(tail: bytes, error: ProxyError) -> bytes:
    return b""


def make(kind: str, loop: asyncio.AbstractEventLoop, client: Overfull) -> Relay:
    parts = (loop, client, b"HEAD", ChunkReader(), Tap(), no_ending)
    if kind == "verbatim":
        return VerbatimRelay(*parts)
    if kind == "reframed":
        return ReframingRelay(*parts, chunked=False)
    if kind == "continued":
        return ContinuedArray(*parts, chunked=True)
    if kind == "refused":
        return RefusalRelay(loop, client, ChunkReader(), lambda length: b"HEAD", lambda body: None)
    head = parse_response_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked")
    streams = kind == "translated"
    return TransposingRelay(
        loop, client, head, Shouting("at once"), lambda length: b"HEAD", lambda error: b"",
        streams=streams, chunked=True,
    )  # fmt: skip


@pytest.mark.parametrize("begun", ["with its end", "before it"])
@pytest.mark.parametrize(
    "kind", ["verbatim", "reframed", "continued", "refused", "translated", "translated whole"]
)
async def test_the_last_write_pauses_the_node_of_nobody_else(kind: str, begun: str) -> None:
    loop = asyncio.get_running_loop()
    client, node = Overfull(), RecordingTransport()
    connection = NodeConnection(loop)
    node.set_protocol(connection)
    connection.connection_made(node)
    client.relay = relay = make(kind, loop, client)
    body = chunked(b"[1].")
    connection.early = body if begun == "with its end" else b""
    relay.begin(connection)
    if begun == "before it":
        relay.data_received(body)
    assert relay.terminal is Terminal.COMPLETED
    assert client.written
    assert relay.paused_at is not None, "the client had enough"
    assert connection.is_reusable()
    # Nor does what the client does later reach the connection's next borrower.
    before = list(node.asked)
    relay.resume()
    relay.pause()
    assert node.asked == before
