"""Large replies, and many of them on one connection: none delays the next."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.e2e.relaying import STREAMS, UNARY, asking, relay
from tests.fixtures.raw_client import RawClient, connect
from tests.fixtures.raw_node import NodeConnection, RawNode

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#: More than a network takes at once, and more than even loopback does: a write of it fills the
#: client's buffer.
SIZES = [(300_000, False), (300_000, True), (10_000_000, False)]


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


def error(text: str) -> bytes:
    return whole(json.dumps({"error": {"message": text}}).encode(), b"400 Bad Request")


ASK = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
#: By the relay that carries it: the request, the node's reply for a text, what the node speaks.
KINDS: dict[str, tuple[tuple[str, dict[str, Any]], Any, list[str]]] = {
    "whole": (UNARY["openai"], lambda text: whole(message(text)), ["openai"]),
    "verbatim chunks": (STREAMS["openai"], lambda text: EVENTS + chunked(delta(text)), ["openai"]),
    "verbatim length": (STREAMS["openai"], lambda text: whole(message(text)), ["openai"]),
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


async def say(node: RawNode, request: bytes, client: RawClient, reply: bytes) -> NodeConnection:
    """Send on the node's connection, or on a new one."""
    client.write(request)
    kept = [one for one in node.connections if not one.gone.done()]
    side = kept[0] if kept else await node.connection()
    await side.request()
    side.write(reply)
    return side


@pytest.mark.parametrize(("size", "late"), SIZES)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_large_reply_hangs_no_other(kind: str, size: int, late: bool) -> None:
    """The relay may pause the node during its last write, and then returns the node's
    connection."""
    asked, reply, speaks = KINDS[kind]
    async with relay(speaks=speaks) as (gateway, node), connect(gateway.url) as client:
        for text in ("x" * size, "short") * 2:
            async with asyncio.timeout(30):
                if late:
                    client.stop_reading()
                side = await say(node, asking(asked), client, reply(text))
                if late:
                    await asyncio.sleep(0.01)
                    client.go_on_reading()
                assert (await client.reply()).complete
        assert node.connections == [side]


@pytest.mark.parametrize(("size", "late"), SIZES)
async def test_a_large_error_costs_its_own_connection_only(size: int, late: bool) -> None:
    """A large error is judged by its beginning, and the proxy does not wait for the rest: the
    client gets the error at once, and the next request uses a new connection. After a small error
    the connection is used again."""
    asked = asking(UNARY["openai"])
    async with relay() as (gateway, node), connect(gateway.url) as client, asyncio.timeout(60):
        for _ in range(2):
            if late:
                client.stop_reading()
            side = await say(node, asked, client, error("x" * size))
            if late:
                await asyncio.sleep(0.01)
                client.go_on_reading()
            reply = await client.reply()
            assert (reply.status, reply.complete) == (400, True)
            assert json.loads(reply.body)["error"]["code"] == "invalid_request"
            await side.until_gone()
            for _ in range(2):
                side = await say(node, asked, client, error("short"))
                reply = await client.reply()
                assert reply.status == 400
                assert json.loads(reply.body) == {"error": {"message": "short"}}
        # The second large error came over the connection of the small ones before it.
        assert [one.gone.done() for one in node.connections] == [True, True, False]


async def test_a_client_that_reads_late_gets_the_reply_behind_a_large_one() -> None:
    """The node's connection is used again, too: the next reply waits for room, and then arrives
    whole."""
    asked, reply, speaks = KINDS["verbatim chunks"]
    first = asking(KINDS["whole"][0])
    async with relay(speaks=speaks) as (gateway, node), connect(gateway.url) as client:
        client.stop_reading()
        client.write(first + asking(asked))
        side = await node.connection()
        await side.request()
        side.write(KINDS["whole"][1]("x" * 10_000_000))
        (public,) = [one.client for one in gateway.gateway._public.connections]
        async with asyncio.timeout(30):
            while public.relay is None or public.relay.paused_at is None:
                await asyncio.sleep(0)
            client.go_on_reading()
            assert len((await client.reply()).body) > 10_000_000
            await side.request()
            side.write(reply("short"))
            assert b"short" in (await client.reply()).body
