"""The estimate for a cut stream, event by event, compared with a node that counts its tokens and
generates no more before the client has received the previous ones."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import SSE, Stage, chunk, staged
from tests.server.test_app import outcomes, wait_for
from tests.server.test_counts import DONE, FINISH, ROLE, WORD

#: Events behind which streams are cut: each of the first, and some later ones.
WORDS = (0, 1, 2, 3, 4, 5, 9, 40)
LEARNED = 12
#: By the surface of a client.
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}


class CountingNode:
    """``steps`` are what it sends next; None: it breaks. ``counted`` are its counts for each
    request: prompt and output."""

    def __init__(self) -> None:
        self.steps: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.counted: list[tuple[int, int]] = []

    async def play(self, connection: NodeConnection) -> None:
        while True:
            asked = json.loads((await connection.request()).body)
            prompt, output = 9 + len(asked["messages"][0]["content"]) // 4, 0
            self.counted.append((prompt, 0))
            await connection.send(SSE)
            step: bytes = b""
            while not step.endswith(DONE):
                if (next_step := await self.steps.get()) is None:
                    return
                step = next_step
                output += step.count(WORD)
                self.counted[-1] = prompt, output
                events = b"".join(chunk(event + b"\n\n") for event in step.split(b"\n\n")[:-1])
                await connection.send(events, b"0\r\n\r\n" if step.endswith(DONE) else b"")


def request(surface: str, size: int, **fields: Any) -> bytes:
    message = {"role": "user", "content": "x" * size}
    asked = {"model": "m", "stream": True, "max_tokens": 99, "messages": [message], **fields}
    body, path = json.dumps(asked).encode(), PATHS[surface]
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nanthropic-version: 1\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def learn(stage: Stage, node: CountingNode, **fields: Any) -> None:
    """Whole streams of a node that reports its counts, so that the proxy learns from them."""
    client = await stage.connect()
    for number in range(LEARNED):
        words, size = 5 + 4 * number, 8 * (number * 7 % LEARNED)
        client.write(request("openai", size, **fields))
        await client.head()
        for event in (ROLE, *[WORD] * words, FINISH):
            node.steps.put_nowait(event)
            await client.take_through(event)
        counts = {"prompt_tokens": 9 + size // 4, "completion_tokens": words}
        told = b"data: " + json.dumps({"choices": [], "usage": counts}).encode() + b"\n\n"
        # In one read, as the client that did not ask for counts sees nothing of the first.
        node.steps.put_nowait(told + DONE)
        await client.take_through(b"0\r\n\r\n")


async def _received(stage: Stage, events: int) -> None:
    """Wait until so much of the only stream has arrived at the proxy."""
    live = stage.gateway._handler.exchanges.live
    async with asyncio.timeout(PATIENCE_S):
        while [one.flow.events for one in live if one.flow is not None] != [events]:
            await asyncio.sleep(0.001)


async def cut(
    stage: Stage, node: CountingNode, surface: str, words: int, way: str, **fields: Any
) -> None:
    """Cut one stream after this many words."""
    client = await stage.connect()
    client.write(request(surface, 8 * min(words + 1, LEARNED), **fields))
    node.steps.put_nowait(ROLE)
    await _received(stage, 1)
    for number in range(words):
        node.steps.put_nowait(WORD)
        await _received(stage, number + 2)
    if way == "client leaves":
        client.close()
    elif way == "client resets":
        client.reset()
    else:
        node.steps.put_nowait(None)


def counts(record: ExchangeRecord) -> tuple[int | None, int | None]:
    return record.usage.prompt, record.usage.output


@pytest.mark.parametrize("surface", PATHS)
@pytest.mark.parametrize("usage", ["exact", "verbatim"])
@pytest.mark.parametrize(
    ("way", "ending"),
    [
        ("client leaves", Terminal.CLIENT_GONE),
        ("client resets", Terminal.CLIENT_GONE),
        ("node breaks", Terminal.NODE_BROKE),
    ],
)
async def test_a_cut_stream_is_counted_to_the_token(
    surface: str, usage: str, way: str, ending: Terminal
) -> None:
    """The stream is cut at any word, after some whole streams whose counts the node has
    reported."""
    node = CountingNode()
    deployment = ", usage: verbatim" if usage == "verbatim" else ""
    fields = {"stream_options": {"include_usage": True}} if usage == "verbatim" else {}
    async with staged(node.play, deployment=deployment, speaks="[openai]") as stage:
        seen = outcomes(stage)
        await learn(stage, node, **fields)
        await wait_for(seen, LEARNED)
        for number, words in enumerate(WORDS, LEARNED + 1):
            await cut(stage, node, surface, words, way, **fields)
            record = await wait_for(seen, number)
            assert record.terminal is ending
            assert record.usage.estimated
            assert counts(record)[1] == node.counted[-1][1] == words
            if surface == "openai":
                assert counts(record)[0] == node.counted[-1][0]
            if ending is Terminal.CLIENT_GONE:
                node.steps.put_nowait(None)  # It waits for its next step.


@pytest.mark.parametrize("surface", PATHS)
async def test_words_that_come_in_one_read_are_counted_each(surface: str) -> None:
    """On a busy machine several words arrive in one read."""
    node = CountingNode()
    async with staged(node.play, speaks="[openai]") as stage:
        seen = outcomes(stage)
        await learn(stage, node)
        await wait_for(seen, LEARNED)
        for number, words in enumerate((2, 3, 20), LEARNED + 1):
            client = await stage.connect()
            client.write(request(surface, 8))
            node.steps.put_nowait(ROLE)
            await _received(stage, 1)
            node.steps.put_nowait(WORD * words)
            await _received(stage, 1 + words)
            client.close()
            record = await wait_for(seen, number)
            assert counts(record)[1] == node.counted[-1][1] == words
            node.steps.put_nowait(None)
