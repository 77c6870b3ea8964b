"""The simulated node's bodies, lists, strictness and memory."""

from __future__ import annotations

import asyncio
import json

import pytest

from casedesk_proxy.simulator.app import start
from casedesk_proxy.simulator.script import PRESETS
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_client import ask, connect, request
from tests.fixtures.simulated import simulator
from tests.simulator.asking import VERSION, streaming

HI = [{"role": "user", "content": "hi there"}]
PARTS = {"contents": [{"role": "user", "parts": [{"text": "hi"}, {"text": "there"}]}]}


@pytest.mark.parametrize(
    ("target", "headers", "names"),
    [
        ("/v1/models", [], lambda value: [one["id"] for one in value["data"]]),
        ("/v1/models?limit=100", [VERSION], lambda value: [one["id"] for one in value["data"]]),
        (
            "/v1beta/models?pageSize=100",
            [],
            lambda value: [one["name"].removeprefix("models/") for one in value["models"]],
        ),
    ],
)
async def test_lists_name_every_model(target: str, headers: list[str], names: object) -> None:
    async with simulator() as node:
        reply = await ask(node.url, request(target, None, *headers))
    assert set(PRESETS) < set(names(json.loads(reply.body)))


async def test_one_model() -> None:
    async with simulator() as node:
        gemini = await ask(node.url, request("/v1beta/models/gemma2:9b"))
        slashed = await ask(node.url, request("/v1/models/hf.co%2Forg%2Frepo:Q4", None, VERSION))
        absent = await ask(node.url, request("/v1/models/nobody"))
    assert json.loads(gemini.body)["name"] == "models/gemma2:9b"
    assert json.loads(slashed.body)["id"] == "hf.co/org/repo:Q4"
    assert absent.status == 404


@pytest.mark.parametrize(
    "target",
    [
        "/v1beta/v1/models/sim:generateContent",
        "/v1alpha/models/sim:generateContent",
        "/models/sim:generateContent",
        "/v1/models/sim:predict",
        "/v1/v1/messages",
        "//v1/messages",
        "/v1/messages/",
        "/openai/v1/chat/completions",
        "/v1/models/nobody:generateContent",
    ],
)
async def test_only_documented_paths_are_there(target: str) -> None:
    """The simulator must not have paths that the proxy must never use, or the proxy's errors would
    not be noticed."""
    async with simulator() as node:
        reply = await ask(node.url, request(target, PARTS))
    assert reply.status == 404


@pytest.mark.parametrize("surface", ["sse", "anthropic", "chat", "completions"])
async def test_wrong_bodies_are_refused(surface: str) -> None:
    wrong = {"contents": 5, "messages": "x", "prompt": None}
    good = streaming(surface)
    async with simulator() as node:
        typed = await ask(node.url, streaming(surface, **wrong))
        broken = await ask(node.url, good[:-1] + b"]")
    assert (typed.status, broken.status) == (400, 400)


async def test_requests_are_remembered_as_they_came() -> None:
    data = request("/v1/chat/completions?a=1&a=%32", b'{"model" :"sim"}', "X-Goog-Odd:  One ")
    async with simulator() as node:
        async with connect(node.url) as client:
            await client.ask(data)
            await client.ask(data)
            received = await node.arrived(2)
            assert not received.closed.done()
        assert received.target == "/v1/chat/completions?a=1&a=%32"
        assert received.body == b'{"model" :"sim"}'
        assert (b"X-Goog-Odd", b"One") in received.headers
        assert received.header("x-goog-odd") == [b"One"]
        await asyncio.wait_for(received.closed, PATIENCE_S)
        assert node.requests[0].closed.result() == received.closed.result()


async def test_nothing_is_kept_unless_wanted() -> None:
    node = await start(pace=0)
    try:
        await ask(node.url, request("/v1/models"))
        assert not node.requests
    finally:
        await node.stop()


async def test_a_client_that_leaves_while_it_is_written_to_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with simulator() as node, connect(node.url) as client:
        client.write(streaming("chat", script="words=60000"))
        # What the kernel holds is full then: the rest waits in the node's own buffer.
        await client.sip()
        client.half_close()
        client.go_on_reading()
        await client.until_gone()
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == []
