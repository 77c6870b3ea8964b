"""A request whose own nodes are busy or down, with an idle node of another protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from casedesk_proxy.simulator.app import Simulator
from casedesk_proxy.simulator.script import Ending, Script
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.proxy import RunningGateway, proxy_here
from tests.fixtures.raw_client import ask, connect
from tests.fixtures.simulated import simulator

HANGING = Script(ending=Ending.HANG, after_events=1, words_per_second=0)
GEMINI = {"contents": [{"parts": [{"text": "hi"}]}]}
MESSAGES = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "gemini": ("/v1beta/models/{}:generateContent", GEMINI),
    "anthropic": ("/v1/messages", MESSAGES),
}


class Stage:
    def __init__(self, proxy: RunningGateway, own: Simulator, other: Simulator) -> None:
        self.proxy, self.own, self.other = proxy, own, other

    def asked(self, node: Simulator) -> int:
        return sum(one.method == "POST" for one in node.requests)

    @asynccontextmanager
    async def taken(self, path: str, body: dict[str, Any]) -> AsyncIterator[None]:
        """Wait until its own node has a request and no room for another."""
        async with connect(self.proxy.url) as client:
            await client.send(post(path.format("m"), body | {"stream": True}))
            async with asyncio.timeout(PATIENCE_S):
                while not self.asked(self.own):
                    await asyncio.sleep(0.001)
            yield


@asynccontextmanager
async def staged(surface: str, **server: Any) -> AsyncIterator[Stage]:
    async with simulator(m=HANGING) as own, simulator(m=Script(words=3)) as other:
        config = {
            "server": {"access_log": False, **server},
            "default_deployment": "d",
            "nodes": {
                "own": {"url": own.url, "engine": surface, "models": ["m"], "max_streams": 1},
                "other": {"url": other.url, "engine": "vllm", "speaks": ["openai"],
                          "models": ["m"], "max_streams": 1},
            },
            "deployments": {"d": {"nodes": ["own", "other"], "auth": "none"}},
        }  # fmt: skip
        async with proxy_here(config) as proxy:
            yield Stage(proxy, own, other)


def post(path: str, body: dict[str, Any]) -> bytes:
    if "v1beta" in path and body.pop("stream", False):
        path = path.replace("generateContent", "streamGenerateContent")
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nanthropic-version: 2023-06-01\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("surface", PATHS)
async def test_an_idle_node_of_another_protocol_has_it(surface: str, is_large: bool) -> None:
    path, body = PATHS[surface]
    server = {"large_body": 10} if is_large else {}
    async with staged(surface, **server) as stage, stage.taken(path, body):
        reply = await ask(stage.proxy.url, post(path.format("m"), dict(body)))
        assert reply.status == 200, reply.body
        assert (stage.asked(stage.own), stage.asked(stage.other)) == (1, 1)


async def test_what_the_other_one_cannot_take_waits() -> None:
    path, body = PATHS["gemini"]
    searching = body | {"tools": [{"googleSearch": {}}]}
    async with staged("gemini") as stage, stage.taken(path, body):
        asking = asyncio.ensure_future(
            ask(stage.proxy.url, post(path.format("m"), dict(searching)))
        )
        slots = stage.proxy.gateway.dispatcher.slots
        async with asyncio.timeout(PATIENCE_S):
            while not slots.admission.waiting("d"):
                await asyncio.sleep(0.001)
        assert stage.asked(stage.other) == 0
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def test_a_node_that_is_being_emptied_is_stood_in_for() -> None:
    path, body = PATHS["gemini"]
    async with staged("gemini") as stage:
        stage.proxy.gateway.dispatcher.slots.states["own"].draining = True
        reply = await ask(stage.proxy.url, post(path.format("m"), dict(body)))
        assert reply.status == 200
        assert (stage.asked(stage.own), stage.asked(stage.other)) == (0, 1)


async def test_while_its_own_has_room_nobody_else_is_asked() -> None:
    path, body = PATHS["gemini"]
    async with staged("gemini") as stage, stage.taken(path, body):
        assert stage.asked(stage.other) == 0
