"""The vendors' Node SDKs accept keepalives, and notice every stream that breaks.

The Makefile installs Node and the SDKs; ``ask.mjs`` sends the requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from casedesk_proxy.replying.record import Terminal
from tests.node_sdks.scripts import Script, script
from tests.server.pooled import Member, pooled
from tests.server.test_sdk_failures import LATE, LIMITS
from tests.server.tongues import OFTEN, SILENCE, TONGUES, slow

#: Which SDK, and what its node speaks: its own dialect is relayed, another one translated.
ROUTES = {
    "google-genai, relayed": ("google-genai", "gemini"),
    "google-genai, translated": ("google-genai", "openai"),
    "generative-ai, relayed": ("generative-ai", "gemini"),
    "generative-ai, translated": ("generative-ai", "openai"),
    "anthropic, relayed": ("anthropic", "anthropic"),
    "anthropic, translated": ("anthropic", "openai"),
    "openai, relayed": ("openai", "openai"),
    "ai, relayed": ("ai", "openai"),
}
CHATS = ("google-genai", "generative-ai")


@pytest.fixture(scope="module")
def sdks() -> Iterator[Script]:
    """A script that sends an SDK's requests: it gets an SDK and a URL."""
    with script("ask.mjs") as running:
        yield running


@pytest.mark.parametrize("route", list(ROUTES))
async def test_the_whole_answer_is_read_through_signs_of_life(route: str, sdks: Script) -> None:
    """Keepalives are sent in the queue, before the node's head, and within and between its
    events."""
    sdk, speaks = ROUTES[route]
    member = Member("a", slow(TONGUES[speaks]), ", max_streams: 1", speaks=speaks)
    async with pooled(member, deployment=OFTEN) as stage:
        url = stage.gateway.urls[0]
        answers = await asyncio.gather(*(sdks.ask(sdk, url) for _ in range(3)))
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
async def test_a_stream_that_breaks_is_noticed(
    route: str, failure: str, heartbeat: str, sdks: Script
) -> None:
    sdk, speaks = ROUTES[route]
    make, terminal = LATE[failure]
    member = Member("a", make(TONGUES[speaks]), speaks=speaks)
    async with pooled(member, deployment=LIMITS + heartbeat) as stage:
        told = await sdks.ask(sdk, stage.gateway.urls[0])
        assert "error" in told, told
        ends = {terminal}
        if sdk == "anthropic" and speaks == "anthropic":
            # Half of an answer's beginning begins another message: this SDK leaves at once.
            ends.add(Terminal.CLIENT_GONE)
        assert (await stage.outcome()).terminal in ends
        await stage.quiet()


async def test_vercels_sdk_gets_the_reason_and_nothing_behind_it(sdks: Script) -> None:
    """Its stream has a part with the error. If the message had no end, it would also throw, which
    it does not do otherwise."""
    make, _ = LATE["dies between events"]
    async with pooled(Member("a", make(TONGUES["openai"]), speaks="openai")) as stage:
        told = await sdks.ask("ai", stage.gateway.urls[0])
        assert "node a closed the connection in the middle of its reply" in told["error"]
