"""The protocol's last event ends an answer: neither client nor slot wait for a node that keeps its
message open, and a client that leaves after that event has received everything."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from casedesk_proxy.replying.completeness import is_answered
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.terms import Dialect
from tests.e2e.relaying import STREAMS, UNARY, asking, relay
from tests.e2e.test_large import ASK, GEMINI
from tests.fixtures.proxy import RunningGateway
from tests.fixtures.raw_client import connect
from tests.fixtures.table import table
from tests.server.test_injected import EVENTS, STREAM, USAGE, chunk, event

#: An OpenAI stream up to its last event, without the message's end.
OPEN = STREAM[:-1]
HELLO = (EVENTS, event({"role": "assistant", "content": "Hello"}), event({}, "stop"))
MESSAGE = (
    EVENTS,
    chunk(b'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}\n\n'),
    chunk(b'event: content_block_start\ndata: {"type":"content_block_start","index":0}\n\n'),
    chunk(b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
)
MESSAGES = (STREAMS["anthropic"][0], {**ASK, "stream": True})
SLOW = {"idle_timeout": "4s"}  # Looked at every second.

#: What is asked, what the node says, what it speaks, its settings.
ASKED: dict[str, tuple[tuple[str, dict[str, Any]], tuple[bytes, ...], str, dict[str, str]]] = {
    "verbatim": (STREAMS["openai"], OPEN, "openai", {}),
    "verbatim, one read": (STREAMS["openai"], (b"".join(OPEN),), "openai", {}),
    "verbatim messages": (MESSAGES, MESSAGE, "anthropic", SLOW),
    "anthropic stream": (MESSAGES, OPEN, "openai", {}),
    "anthropic whole": ((UNARY["anthropic"][0], ASK), OPEN, "openai", {}),
    "anthropic stream, counts last": (MESSAGES, (*HELLO, USAGE), "openai", SLOW),
    "anthropic whole, counts last": (
        (UNARY["anthropic"][0], ASK), (*HELLO, USAGE), "openai", {},
    ),
    "gemini stream": ((STREAMS["gemini"][0], GEMINI), OPEN, "openai", {}),
    "gemini array": ((STREAMS["array"][0], GEMINI), OPEN, "openai", {}),
    "gemini whole": ((UNARY["gemini"][0], GEMINI), OPEN, "openai", {}),
}  # fmt: skip


def watch(gateway: RunningGateway) -> list[ExchangeRecord]:
    """The records, as the sinks get them."""
    seen: list[ExchangeRecord] = []
    gateway.sinks.append(seen.append)
    return seen


async def first(seen: list[ExchangeRecord]) -> ExchangeRecord:
    async with asyncio.timeout(10):
        while not seen:
            await asyncio.sleep(0)
    return seen[0]


def in_flight(gateway: RunningGateway) -> int:
    return sum(one.in_flight for one in gateway.gateway.dispatcher.slots.states.values())


@pytest.mark.parametrize("kind", ASKED)
async def test_a_node_that_keeps_its_message_open(kind: str) -> None:
    asked, said, speaks, settings = ASKED[kind]
    async with (
        relay(speaks=[speaks], engine=speaks, max_streams=1, **settings) as (gateway, node),
        connect(gateway.url) as client,
    ):
        seen = watch(gateway)
        client.write(asking(asked))
        side = await node.connection()
        await side.request()
        await side.send(*said)
        reply = await asyncio.wait_for(client.reply(), 20)
        assert (reply.status, reply.complete) == (200, True)
        outcome = await first(seen)
        assert outcome.terminal is Terminal.COMPLETED
        assert in_flight(gateway) == 0
        await asyncio.wait_for(side.until_gone(), 10)


@pytest.mark.parametrize("kind", ASKED)
async def test_a_node_that_ends_its_message_a_moment_later_is_asked_again(kind: str) -> None:
    asked, said, speaks, settings = ASKED[kind]
    async with (
        relay(speaks=[speaks], engine=speaks, **settings) as (gateway, node),
        connect(gateway.url) as client,
    ):
        for _ in range(2):
            client.write(asking(asked))
            side = node.connections[0] if node.connections else await node.connection()
            await side.request()
            await side.send(*said)
            side.write(b"0\r\n\r\n")
            assert (await asyncio.wait_for(client.reply(), 20)).complete
        assert len(node.connections) == 1


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("kind", ["verbatim", "verbatim messages", "anthropic stream"])
async def test_a_client_that_leaves_with_the_last_event(kind: str, finished: bool) -> None:
    asked, said, speaks, settings = ASKED[kind]
    said = said if finished else said[:-2]
    async with (
        relay(speaks=[speaks], engine=speaks, **settings) as (gateway, node),
        connect(gateway.url) as client,
    ):
        seen = watch(gateway)
        client.write(asking(asked))
        side = await node.connection()
        await side.request()
        await side.send(*said)
        last = b"[DONE]" if kind == "verbatim" else b"message_stop"
        await client.until_received(last if finished else b"data:")
        client.close()
        outcome = await first(seen)
        left = Terminal.COMPLETED if finished else Terminal.CLIENT_GONE
        assert (outcome.terminal, outcome.status) == (left, 200)
        assert (outcome.cancel is None) is finished
        assert in_flight(gateway) == 0


@table(
    ("surface", "tail", "answered"),
    [
        (Dialect.OPENAI, b"data: [DONE]\n\n", True),
        (Dialect.OPENAI, b"data: {}\n\ndata:[DONE]\r\n\r\n", True),
        (Dialect.OPENAI, b"data: [DONE]\n", False),
        (Dialect.OPENAI, b'data: {"content":"data: [DONE]\\n\\n"}\n\n', False),
        (Dialect.OPENAI, b"data: [DONE]\n\ndata: {}\n\n", False),
        (Dialect.ANTHROPIC, b'event: message_stop\ndata: {"type": "message_stop"}\n\n', True),
        (Dialect.ANTHROPIC, b'\ndata: {"type":"message_stop"}\r\n\r\n', True),
        (Dialect.ANTHROPIC, b"event: message_stop\n", False),
        (Dialect.ANTHROPIC, b'\ndata: {"text":"{\\"type\\":\\"message_stop\\"}"}\n\n', False),
        (Dialect.GEMINI, b'data: {"candidates":[{"finishReason":"STOP"}]}\n\n', False),
    ],
)
def test_the_last_event(surface: Dialect, tail: bytes, answered: bool) -> None:
    assert is_answered(surface, tail) is answered
