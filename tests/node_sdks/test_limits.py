"""How the vendors' Node SDKs react to a limit: whether they wait, and whether they give up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.node_sdks.scripts import Script, script
from tests.server.limited import limited

SDKS = ("openai", "anthropic", "google-genai")


@pytest.fixture(scope="module")
def sdks() -> Iterator[Script]:
    with script("limit.mjs") as running:
        yield running


@pytest.mark.parametrize("sdk", SDKS)
async def test_none_repeats_what_only_a_new_day_brings(sdk: str, sdks: Script) -> None:
    async with limited({"tokens_per_day": 1}) as (asker, proxy):
        await asker.chat()
        told = await sdks.ask(sdk, asker.url)
        assert (told["status"], told["pauses"]) == (429, [])
        assert "tokens_per_day" in told["error"]
        assert sum(proxy.gateway.limiter.refused.values()) == 1


@pytest.mark.parametrize(("sdk", "repeats"), [("openai", 2), ("anthropic", 2), ("google-genai", 0)])
async def test_stainless_s_wait_as_long_as_they_are_asked_to_and_google_s_gives_up(
    sdk: str, repeats: int, sdks: Script
) -> None:
    async with limited({"requests_per_minute": 1}) as (asker, proxy):
        await asker.chat()
        told = await sdks.ask(sdk, asker.url)
        assert told["status"] == 429
        assert len(told["pauses"]) == repeats
        assert all(50 <= one <= 60 for one in told["pauses"])
        assert sum(proxy.gateway.limiter.refused.values()) == 1 + repeats
