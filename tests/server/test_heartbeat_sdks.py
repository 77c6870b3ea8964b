"""The vendors' SDKs accept keepalives: in the queue, before the node's first byte, between events
and inside a word of them."""

from __future__ import annotations

import asyncio

import pytest

from tests.server.pooled import Member, pooled
from tests.server.test_sdk_failures import ROUTES
from tests.server.tongues import OFTEN, SILENCE, TONGUES, slow

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")


@pytest.mark.parametrize("route", list(ROUTES))
async def test_every_sdk_reads_the_whole_answer(route: str) -> None:
    ask, speaks = ROUTES[route]
    member = Member("a", slow(TONGUES[speaks]), ", max_streams: 1", speaks=speaks)
    async with pooled(member, deployment=OFTEN) as stage:
        url = stage.gateway.urls[0]
        texts = await asyncio.gather(ask(url), ask(url))
        assert texts == ["half whole"] * 2
        outcomes = [await stage.outcome(number) for number in (1, 2)]
        assert [one.terminal for one in outcomes] == ["completed"] * 2
        assert any(one.queued > SILENCE for one in outcomes), "one has waited for the other"
        assert all(one.sent > len(TONGUES[speaks].begin) for one in outcomes)
        await stage.quiet()
