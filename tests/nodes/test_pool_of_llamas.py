"""Two real llama-servers in one deployment: one is killed under load, and comes back."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from casedesk_proxy.server.app import Gateway
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.proxy import proxy_here
from tests.fixtures.raw_client import ask, connect, request
from tests.fixtures.raw_peer import PeerGone
from tests.nodes.llama_server import SLOTS, LlamaNode, llama_server
from tests.nodes.tiny_model import REPLY

OPENAI_UNARY = request(
    "/v1/chat/completions", {"model": "gemma2:9b", "messages": [{"role": "user", "content": "hi"}]}
)
GEMINI_UNARY = request(
    "/v1beta/models/gemma2:9b:generateContent", {"contents": [{"parts": [{"text": "hi"}]}]}
)
#: Long enough to be under way whenever the node is killed.
STREAM = request(
    "/v1/chat/completions",
    {
        "model": "gemma2:9b",
        "stream": True,
        "max_tokens": 2000,
        "messages": [{"role": "user", "content": "endless"}],
    },
)


class Load:
    """Workers that send one request after another, and the results."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.replies: Counter[str] = Counter()
        self.streams: Counter[str] = Counter()
        self.on = True

    async def unary(self, data: bytes) -> None:
        while self.on:
            reply = await ask(self.url, data)
            said = json.loads(reply.body)
            text = (
                said["choices"][0]["message"]["content"]
                if "choices" in said
                else said.get("candidates", [{"content": {"parts": [{"text": said}]}}])[0][
                    "content"
                ]["parts"][0]["text"]
            )
            self.replies["whole" if text == REPLY else f"{reply.status} {text!r:.200}"] += 1

    async def stream(self) -> None:
        while self.on:
            async with connect(self.url) as client:
                client.write(STREAM)
                try:
                    reply = await client.reply()
                except PeerGone:
                    self.streams["no head"] += 1
                    continue
            if reply.status != 200:
                self.streams[f"status {reply.status}"] += 1
            elif reply.complete and reply.body.endswith(b"data: [DONE]\n\n"):
                self.streams["whole"] += 1
            elif not reply.complete:
                self.streams["told" if b'"error"' in reply.body[-300:] else "cut"] += 1
            else:
                self.streams["looks whole"] += 1


@asynccontextmanager
async def loaded(url: str) -> AsyncIterator[Load]:
    load = Load(url)
    workers = [
        *(load.unary(OPENAI_UNARY) for _ in range(3)),
        *(load.unary(GEMINI_UNARY) for _ in range(3)),
        *(load.stream() for _ in range(3)),
    ]
    tasks = [asyncio.ensure_future(worker) for worker in workers]
    try:
        yield load
    finally:
        load.on = False
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*tasks)


async def served(gateway: Gateway, name: str, more: int) -> None:
    """Wait until the node has got so many more requests."""
    state = gateway.dispatcher.slots.states[name]
    goal = state.served + more
    async with asyncio.timeout(PATIENCE_S):
        while state.served < goal:
            await asyncio.sleep(0.01)


@pytest.mark.timeout(240)
async def test_one_is_killed_under_load_and_comes_back(llama_node: LlamaNode) -> None:
    with ExitStack() as nodes:
        first = nodes.enter_context(llama_server(llama_node.model))
        second = nodes.enter_context(llama_server(llama_node.model))
        config = {
            "default_deployment": "d",
            "nodes": {
                name: {"url": node.url, "probe_interval": "1s"}
                for name, node in (("first", first), ("second", second))
            },
            "deployments": {"d": {"nodes": ["first", "second"], "auth": "none"}},
        }
        async with proxy_here(config) as proxy:
            gateway, states = proxy.gateway, proxy.gateway.dispatcher.slots.states
            async with asyncio.timeout(PATIENCE_S):
                while [state.capacity for state in states.values()] != [SLOTS, SLOTS]:
                    await asyncio.sleep(0.01)  # they tell it
            async with loaded(proxy.url) as load:
                await served(gateway, "first", 6)
                await asyncio.to_thread(first.crash)
                await served(gateway, "second", 10)
                assert not states["first"].is_healthy(asyncio.get_running_loop().time())
                port = int(first.url.rsplit(":", 1)[1])
                await asyncio.to_thread(nodes.enter_context, llama_server(llama_node.model, port))
                await served(gateway, "first", 6)
                assert states["first"].breaker.is_closed()
            assert load.replies.keys() == {"whole"}, load.replies
            assert load.streams.keys() <= {"whole", "told", "cut"}, load.streams
            assert load.streams["whole"]
            assert load.streams["told"] + load.streams["cut"] <= SLOTS
            assert {name: state.in_flight for name, state in states.items()} == {
                "first": 0,
                "second": 0,
            }
            assert not gateway.dispatcher.slots.admission.has_waiting
