"""The vendors' SDKs accept keepalives: in the queue, before the node's first byte, between events
and inside a word of them."""

from __future__ import annotations

import asyncio

import pytest

from tests.fixtures.raw_node import NodeConnection, Play
from tests.server.gateways import SSE, chunk
from tests.server.pooled import Member, pooled
from tests.server.test_sdk_failures import END, ROUTES, TONGUES, Tongue

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

OFTEN = ", heartbeat: 30ms, heartbeat_verbatim: true"
#: Long enough for several signs of life.
SILENCE = 0.15


def slow(tongue: Tongue) -> Play:
    """A node that is silent before its head, after it, within an event and between events."""
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
