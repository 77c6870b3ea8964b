"""A reply whose last bytes overfill its client's buffer: the node's connection, which that pauses,
is handed on reading all the same, and so is the client's."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from e2e.relaying import STREAMS, UNARY, asking, relay

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.exchange.outcome import Terminal
from casedesk_proxy.server.continued import ContinuedArray
from casedesk_proxy.server.refusing import RefusalRelay
from casedesk_proxy.server.relay import ReframingRelay, Relay
from casedesk_proxy.server.transposing import TransposingRelay
from casedesk_proxy.server.verbatim import VerbatimRelay
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.chunked import ChunkReader
from casedesk_proxy.wire.http1 import parse_response_head
from tests.fixtures.raw_client import RawClient, connect
from tests.fixtures.raw_node import NodeConnection as NodeSide
from tests.fixtures.raw_node import RawNode
from tests.server.test_transposing import Shouting
from tests.server.transports import RecordingTransport

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#: More than loopback takes at once, so that a write of it fills the client's buffer.
LONG = "x" * 10_000_000


def chunked(*bodies: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in bodies) + b"0\r\n\r\n"


def whole(body: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def delta(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": "stop"}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\ndata: [DONE]\n\n"


def message(text: str) -> bytes:
    choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop"}
    return json.dumps({"choices": [choice]}).encode()


ASK = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
#: By the relay that carries it: the request, the node's reply for a text, what the node speaks.
KINDS: dict[str, tuple[tuple[str, dict[str, Any]], Any, list[str]]] = {
    "whole": (UNARY["openai"], lambda text: whole(message(text)), ["openai"]),
    "verbatim chunks": (STREAMS["openai"], lambda text: EVENTS + chunked(delta(text)), ["openai"]),
    "verbatim length": (STREAMS["openai"], lambda text: whole(message(text)), ["openai"]),
    "an error": (
        UNARY["openai"],
        lambda text: whole(json.dumps({"error": {"message": text}}).encode(), b"400 Bad Request"),
        ["openai"],
    ),
    "translated stream": (
        (STREAMS["anthropic"][0], {**ASK, "stream": True}),
        lambda text: EVENTS + chunked(delta(text)),
        ["openai"],
    ),
    "translated whole": (
        (UNARY["anthropic"][0], ASK), lambda text: EVENTS + chunked(delta(text)), ["openai"],
    ),
    "translated array": (
        (STREAMS["array"][0], GEMINI), lambda text: EVENTS + chunked(delta(text)), ["openai"],
    ),
}  # fmt: skip


async def say(node: RawNode, request: bytes, client: RawClient, reply: bytes) -> NodeSide:
    client.write(request)
    side = node.connections[0] if node.connections else await node.connection()
    await side.request()
    side.write(reply)
    return side


@pytest.mark.parametrize("kind", KINDS)
async def test_a_reply_that_overfills_its_client_hangs_no_other(kind: str) -> None:
    asked, reply, speaks = KINDS[kind]
    async with relay(speaks=speaks) as (gateway, node), connect(gateway.url) as client:
        for text in (LONG, "short", LONG, "short"):
            async with asyncio.timeout(15):
                await say(node, asking(asked), client, reply(text))
                assert (await client.reply()).complete
        assert len(node.connections) == 1


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
