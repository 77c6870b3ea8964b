"""A request to several nodes: sent once for many clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from casedesk_proxy.upstream.live_answers import LiveAnswers
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_node import Step, raw_node
from tests.fixtures.recorded_nodes import OLLAMA, reply, running
from tests.upstream.specs import snapshot


@pytest.fixture
async def answers() -> AsyncIterator[LiveAnswers]:
    made = LiveAnswers(asyncio.get_running_loop(), fresh_s=3600.0, patience_s=PATIENCE_S)
    yield made
    await made.close()


async def test_those_that_answer_are_told_in_order(answers: LiveAnswers) -> None:
    async with running(OLLAMA) as one, running({}) as other, raw_node(Step.CLOSE) as gone:
        nodes = snapshot(
            gone=f"url: {gone.url}", other=f"url: {other.url}", one=f"url: {one.url}"
        ).nodes
        told = await answers.ask(nodes.values(), "/api/version")
        assert told == {"one": {"version": "0.9.3"}}
        assert await answers.ask([], "/api/version") == {}


async def test_one_that_is_silent_is_given_up() -> None:
    answers = LiveAnswers(asyncio.get_running_loop(), patience_s=0.05)
    async with raw_node() as silent:
        nodes = snapshot(silent=f"url: {silent.url}").nodes.values()
        assert await answers.ask(nodes, "/api/version") == {}


async def test_many_who_ask_at_once_are_one(answers: LiveAnswers) -> None:
    async with running(OLLAMA) as node:
        nodes = snapshot(one=f"url: {node.url}").nodes.values()
        many = await asyncio.gather(*(answers.ask(nodes, "/api/ps") for _ in range(20)))
        assert len({id(one["one"]) for one in many}) == 1
        assert node.asked == ["GET /api/ps"]
        moved = snapshot(one=f"url: {node.url}/").nodes.values()
        await answers.ask(moved, "/api/ps")
        assert len(node.asked) == 2, "another configuration's node"


async def test_an_answer_is_soon_old() -> None:
    answers = LiveAnswers(asyncio.get_running_loop(), fresh_s=0.0)
    async with running({"GET /a": reply('{"a":1}')}) as node:
        nodes = snapshot(one=f"url: {node.url}").nodes.values()
        await answers.ask(nodes, "/a")
        node.replies = {"GET /a": reply('{"a":2}')}
        assert await answers.ask(nodes, "/a") == {"one": {"a": 2}}


async def test_whoever_leaves_takes_nothing_from_the_others() -> None:
    answers = LiveAnswers(asyncio.get_running_loop())
    async with raw_node() as node:
        nodes = snapshot(one=f"url: {node.url}").nodes.values()
        first = asyncio.ensure_future(answers.ask(nodes, "/a"))
        second = asyncio.ensure_future(answers.ask(nodes, "/a"))
        connection = await node.connection()
        await connection.request()
        first.cancel()
        await connection.send(reply('{"a":1}'))
        assert await second == {"one": {"a": 1}}
        answers.ask(nodes, "/b").close()
        third = asyncio.ensure_future(answers.ask(nodes, "/b"))
        await (await node.connection()).request()
        await answers.close()
        with pytest.raises(asyncio.CancelledError):
            await third
