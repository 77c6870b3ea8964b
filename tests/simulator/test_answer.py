"""The simulated node's streams: framed as those of the real services, word by word."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.fixtures.messages import Message
from tests.fixtures.raw_client import ask, request
from tests.fixtures.simulated import simulator
from tests.simulator.asking import SENTENCE, SURFACES, WORDS, events, stream


def text_of(surface: str, message: Message) -> str:
    if surface == "array":
        chunks = json.loads(message.body)
    else:
        chunks = [data for _, data in events(message)]
    if surface in ("sse", "array"):
        return "".join(one["candidates"][0]["content"]["parts"][0]["text"] for one in chunks)
    if surface == "anthropic":
        return "".join(one["delta"].get("text", "") for one in chunks if "delta" in one)
    choices = [choice for one in chunks for choice in one["choices"]]
    if surface == "chat":
        return "".join(choice["delta"].get("content", "") for choice in choices)
    return "".join(choice["text"] for choice in choices)


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("model", ["sim", "sim-crumbs", "sim-lumps"])
async def test_the_sentence_arrives_whole(surface: str, model: str) -> None:
    async with simulator() as node:
        message = await stream(node, surface, model)
    assert message.status == 200
    assert message.complete
    assert text_of(surface, message) == SENTENCE


@pytest.mark.parametrize(
    ("surface", "limit", "reason"),
    [
        ("sse", {"generationConfig": {"maxOutputTokens": 4}}, '"finishReason":"MAX_TOKENS"'),
        ("anthropic", {"max_tokens": 4}, '"stop_reason":"max_tokens"'),
        ("chat", {"max_completion_tokens": 4}, '"finish_reason":"length"'),
        ("completions", {"max_tokens": 4}, '"finish_reason":"length"'),
    ],
)
async def test_limits_cut_the_answer(surface: str, limit: dict, reason: str) -> None:
    async with simulator() as node:
        message = await stream(node, surface, **limit)
    assert text_of(surface, message) == "Hello from the simulated"
    assert reason in message.body.decode()


async def test_lumps_join_events_and_crumbs_cut_them() -> None:
    async with simulator() as node:
        crumbs = await stream(node, "sse", "sim-crumbs")
        lumps = await stream(node, "sse", "sim-lumps")
    assert {len(chunk) for chunk in crumbs.chunks[:-1]} == {7}
    assert {len(chunk) for chunk in lumps.chunks[:-1]} == {1500}
    assert lumps.chunks[0].count(b"data: ") > 1


async def test_numbers_show_what_is_lost() -> None:
    async with simulator() as node:
        message = await stream(node, "chat", script="words=5000")
    assert text_of("chat", message) == " ".join(str(number) for number in range(1, 5001))


async def test_pace_and_pause_take_their_time() -> None:
    """Only lower bounds are checked: a script never sends faster than it says."""
    async with simulator(pace=200.0) as node:
        now = asyncio.get_running_loop().time
        began = now()
        await stream(node, "sse", script="words=10&head_delay=0.05&pause=0.05&pause_after=2")
        assert now() - began >= 0.05 + 0.05 + 10 / 200 - 0.01
        began = now()
        body = {"model": "sim", "messages": [{"role": "user", "content": "x"}]}
        await ask(node.url, request("/v1/chat/completions", body))
        assert now() - began >= WORDS / 200 / 2
