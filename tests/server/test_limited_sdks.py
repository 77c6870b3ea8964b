"""How the vendors' SDKs react to a limit: whether they wait, and whether they give up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.fixtures.sdks import anthropic, genai, openai
from tests.server.limited import limited

DAY, PARALLEL = {"tokens_per_day": 1}, {"parallel": 1, "over_parallel": "refuse"}
MESSAGES: Any = [{"role": "user", "content": "hi"}]


async def ask_openai(url: str) -> Any:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="cdp-alice") as client:
        return await client.chat.completions.create(model="m", messages=MESSAGES)


async def ask_responses(url: str) -> Any:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="cdp-alice") as client:
        return await client.responses.create(model="m", input="hi")


async def ask_anthropic(url: str) -> Any:
    async with anthropic.AsyncAnthropic(base_url=url, api_key="cdp-alice") as client:
        return await client.messages.create(model="m", max_tokens=9, messages=MESSAGES)


async def ask_google(url: str) -> Any:
    client = genai.Client(api_key="cdp-alice", http_options=genai.types.HttpOptions(base_url=url))
    return await asyncio.to_thread(client.models.generate_content, model="m", contents="hi")


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (ask_openai, lambda: openai.RateLimitError),
        (ask_responses, lambda: openai.RateLimitError),
        (ask_anthropic, lambda: anthropic.RateLimitError),
        (ask_google, lambda: genai.errors.ClientError),
    ],
)
async def test_no_sdk_repeats_what_only_a_new_day_brings(
    ask: Callable[[str], Awaitable[Any]], error: Callable[[], type[Exception]]
) -> None:
    async with limited(DAY) as (asker, proxy):
        await asker.chat()
        with pytest.raises(error(), match="tokens_per_day"):
            await ask(asker.url)
        assert sum(proxy.gateway.limiter.refused.values()) == 1


async def test_openai_knows_the_code_of_a_quota() -> None:
    async with limited(DAY) as (asker, _):
        await asker.chat()
        with pytest.raises(openai.RateLimitError) as caught:
            await ask_openai(asker.url)
        assert (caught.value.code, caught.value.type) == ("insufficient_quota",) * 2


@pytest.mark.parametrize("ask", [ask_openai, ask_anthropic])
async def test_stainless_sdks_wait_as_long_as_they_are_asked_to_and_come_back(
    ask: Callable[[str], Awaitable[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDKs themselves wait for the pause, so the test examines it and does not wait."""
    module = "openai._base_client" if ask is ask_openai else "anthropic._base_client"
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(f"{module}.anyio.sleep", sleep)
    async with limited({"requests_per_minute": 1}) as (asker, proxy):
        await asker.chat()
        with pytest.raises((openai.RateLimitError, anthropic.RateLimitError)):
            await ask(asker.url)
        assert sum(proxy.gateway.limiter.refused.values()) == 3
    assert len(pauses) == 2
    assert all(50 <= one <= 60 for one in pauses)
