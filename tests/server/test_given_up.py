"""A node that reports in a relayed reply that it gave up the answer: the client gets its bytes, and
the log and the node's health get their meaning."""

from __future__ import annotations

import pytest

from casedesk_proxy.replying.record import Terminal
from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import SSE, chat, chunk, staged
from tests.server.test_app import outcomes, wait_for

WORD = b'data: {"choices":[{"delta":{"content":"w"}}]}\n\n'
ABORT = b'data: {"choices":[{"delta":{},"finish_reason":"abort"}]}\n\n'
DONE = b"data: [DONE]\n\n"
WHOLE = b'{"choices":[{"message":{"content":"w"},"finish_reason":"abort"}],"usage":{}}'
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@pytest.mark.parametrize("count", [1, 20])
async def test_a_relayed_stream(count: int) -> None:
    body = chunk(WORD) * count + chunk(ABORT) + chunk(DONE) + b"0\r\n\r\n"

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, body)

    async with staged(play) as stage:
        seen = outcomes(stage)
        client = await stage.connect()
        client.write(chat())
        await client.head()
        assert await client.take(len(body)) == body
        outcome = await wait_for(seen)
        assert (outcome.terminal, outcome.code) == (Terminal.NODE_BROKE, "node_broke")
        assert " stopped before its answer was complete" in outcome.facts()["reason"]


@pytest.mark.parametrize("apart", [True, False])
async def test_a_relayed_body(apart: bool) -> None:
    async def play(connection: NodeConnection) -> None:
        await connection.request()
        head = JSON % len(WHOLE)
        await connection.send(*([head, WHOLE] if apart else [head + WHOLE]))

    async with staged(play) as stage:
        seen = outcomes(stage)
        client = await stage.connect()
        client.write(chat(stream=False))
        await client.head()
        assert await client.take(len(WHOLE)) == WHOLE
        assert (await wait_for(seen)).terminal is Terminal.NODE_BROKE
