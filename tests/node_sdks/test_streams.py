"""The vendors' Node SDKs survive the signs of life, and notice every stream that breaks.

The Makefile installs Node and the SDKs; ``ask.mjs`` asks one question.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from casedesk_proxy.replying.record import Terminal
from tests.fixtures.raw_node import NodeConnection, Play
from tests.server.gateways import SSE, chunk
from tests.server.pooled import Member, pooled
from tests.server.test_sdk_failures import END, LATE, LIMITS, TONGUES, Tongue

HERE = Path(__file__).parent
NODE = Path(sys.executable).parent / "node"
OFTEN = ", heartbeat: 30ms, heartbeat_verbatim: true"
#: Long enough for several signs of life.
SILENCE = 0.15
#: Which SDK, and what its node speaks: its own dialect is relayed, another one transposed.
ROUTES = {
    "google-genai, relayed": ("google-genai", "gemini"),
    "google-genai, transposed": ("google-genai", "openai"),
    "generative-ai, relayed": ("generative-ai", "gemini"),
    "generative-ai, transposed": ("generative-ai", "openai"),
    "anthropic, relayed": ("anthropic", "anthropic"),
    "anthropic, transposed": ("anthropic", "openai"),
    "openai, relayed": ("openai", "openai"),
}
CHATS = ("google-genai", "generative-ai")


async def ask(sdk: str, url: str) -> dict[str, Any]:
    """What the SDK made of the answer."""
    process = await asyncio.create_subprocess_exec(
        NODE, HERE / "ask.mjs", sdk, url, stdout=asyncio.subprocess.PIPE
    )
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return json.loads(out)


def slow(tongue: Tongue) -> Play:
    """Silent before its head, behind it, within an event and between events."""
    middle = len(tongue.begin) // 2

    async def play(connection: NodeConnection) -> None:
        while True:
            await connection.request()
            first, second = tongue.begin[:middle], tongue.begin[middle:]
            for piece in (SSE, chunk(first), chunk(second), chunk(tongue.end) + END):
                await asyncio.sleep(SILENCE)
                await connection.send(piece)

    return play


@pytest.mark.parametrize("route", list(ROUTES))
async def test_the_whole_answer_is_read_through_signs_of_life(route: str) -> None:
    """In the queue, before the node's head, within and between its events."""
    sdk, speaks = ROUTES[route]
    member = Member("a", slow(TONGUES[speaks]), ", max_streams: 1", speaks=speaks)
    async with pooled(member, deployment=OFTEN) as stage:
        url = stage.gateway.urls[0]
        answers = await asyncio.gather(ask(sdk, url), ask(sdk, url), ask(sdk, url))
        whole: dict[str, Any] = {"text": "half whole"}
        if sdk in CHATS:
            whole["remembers"] = True
        assert answers == [whole] * 3
        outcomes = [await stage.outcome(number) for number in (1, 2, 3)]
        assert [one.terminal for one in outcomes] == ["completed"] * 3
        assert any(one.queued > SILENCE for one in outcomes), "some have waited for another"
        assert stage.in_flight() == 0


@pytest.mark.parametrize("heartbeat", ["", OFTEN])
@pytest.mark.parametrize("failure", list(LATE))
@pytest.mark.parametrize("route", list(ROUTES))
async def test_a_stream_that_breaks_is_noticed(route: str, failure: str, heartbeat: str) -> None:
    sdk, speaks = ROUTES[route]
    make, terminal = LATE[failure]
    member = Member("a", make(TONGUES[speaks]), speaks=speaks)
    async with pooled(member, deployment=LIMITS + heartbeat) as stage:
        told = await ask(sdk, stage.gateway.urls[0])
        assert "error" in told, told
        ends = {terminal}
        if sdk == "anthropic" and speaks == "anthropic":
            # Half of an answer's beginning begins another message: this SDK leaves at once.
            ends.add(Terminal.CLIENT_GONE)
        assert (await stage.outcome()).terminal in ends
        await stage.quiet()
