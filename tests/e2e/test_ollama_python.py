"""ollama-python through the proxy, to a node that answers what a real Ollama 0.9.3 answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import ollama
import pytest

from casedesk_proxy.replying.record import ExchangeRecord
from tests.fixtures.proxy import RunningGateway, key_entry, proxy_here
from tests.fixtures.raw_node import NodeConnection
from tests.fixtures.recorded_nodes import OLLAMA, OLLAMA_MISSING, RecordedNode
from tests.fixtures.sdks import openai

KEY = "cdp-the-key"
SAID = "Hello, this is a tiny test model. It says café 😀 and stops here."
HI = [{"role": "user", "content": "hi"}]
REPLIES = Path(__file__).parents[1] / "corpus" / "replies"


def recorded(name: str) -> bytes:
    return (REPLIES / f"ollama-0.9.3.{name}.http").read_bytes()


class Ollama(RecordedNode):
    """``cut``: the number of bytes of a streamed reply after which it closes."""

    def __init__(self) -> None:
        super().__init__(OLLAMA, OLLAMA_MISSING)
        self.cut: int | None = None
        self.bodies: list[Any] = []

    async def answer(self, connection: NodeConnection) -> None:
        while True:
            request = await connection.request()
            target = f"{request.method} {request.target}"
            if request.method == "POST":
                self.bodies.append(json.loads(request.body))
            if request.method != "POST" or target in self.replies:
                await connection.send(self.replies.get(target, self.missing))
                continue
            name = request.target.rpartition("/")[2]
            streams = name in ("chat", "generate") and self.bodies[-1].get("stream", True)
            if request.target.startswith("/v1/"):
                name = "v1-chat"
            data = recorded(f"{name}-stream" if streams else name)
            await connection.send(data[: self.cut] if streams else data)
            if streams and self.cut is not None:
                return


@pytest.fixture
async def node() -> AsyncIterator[Ollama]:
    made = Ollama()
    await made.begin()
    yield made
    await made.end()


@pytest.fixture
async def proxy(node: Ollama) -> AsyncIterator[RunningGateway]:
    config = {
        "nodes": {"n": {"url": node.url}},
        "deployments": {"desk": {"nodes": ["n"], "aliases": {"fast": "tiny"}}},
        "keys": [key_entry(KEY, "desk")],
    }
    async with proxy_here(config) as running:
        await running.gateway.metadata.refresh()
        node.bodies.clear()
        yield running


@asynccontextmanager
async def client(
    proxy: RunningGateway, base: str = "/proxy/desk/ollama", key: str = KEY
) -> AsyncIterator[Any]:
    headers = {"Authorization": f"Bearer {key}"}
    async with ollama.AsyncClient(host=proxy.url + base, headers=headers) as ai:
        yield ai


@pytest.mark.parametrize("base", ["", "/proxy/desk/ollama", "/ollama"])
async def test_chat(proxy: RunningGateway, node: Ollama, base: str) -> None:
    ended: list[ExchangeRecord] = []
    proxy.sinks.append(ended.append)
    async with client(proxy, base) as ai:
        whole = await ai.chat("fast", HI, options={"num_ctx": 512}, keep_alive="5m", think=False)
        assert whole.message.content == SAID
        pieces = [piece async for piece in await ai.chat("fast", HI, stream=True)]
    assert "".join(piece.message.content for piece in pieces) == SAID
    assert pieces[-1].done
    assert pieces[-1].eval_count == 21
    assert [one["model"] for one in node.bodies] == ["tiny:latest"] * 2
    assert node.bodies[0]["options"] == {"num_ctx": 512}
    assert node.bodies[0]["keep_alive"] == "5m"
    assert node.requests[-1].value("authorization") is None
    assert [(one.usage.prompt, one.usage.output) for one in ended] == [(12, 21)] * 2


async def test_a_client_that_blocks(proxy: RunningGateway) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}

    def talk() -> list[str]:
        with ollama.Client(host=f"{proxy.url}/proxy/desk/ollama", headers=headers) as ai:
            whole = ai.chat("tiny", HI).message.content or ""
            pieces = [piece.message.content or "" for piece in ai.chat("tiny", HI, stream=True)]
        return [whole, "".join(pieces)]

    assert await asyncio.to_thread(talk) == [SAID, SAID]


async def test_the_rest_of_the_api(proxy: RunningGateway, node: Ollama) -> None:
    async with client(proxy) as ai:
        made = await ai.generate("tiny", "hi")
        assert made.done_reason == "length"
        streamed = [piece async for piece in await ai.generate("tiny", "hi", stream=True)]
        assert streamed[-1].done
        assert (await ai.embed("tiny", "hi")).embeddings
        assert (await ai.embeddings("tiny", "hi")).embedding
        assert "completion" in (await ai.show("fast")).capabilities
        assert node.bodies[-1]["model"] == "tiny:latest"
        assert {one.model for one in (await ai.list()).models} >= {"tiny:latest", "fast"}
        assert (await ai.ps()).models


async def test_a_key_from_the_environment(
    proxy: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)
    monkeypatch.setenv("OLLAMA_HOST", f"{proxy.url}/proxy/desk/ollama")
    async with ollama.AsyncClient() as ai:
        made = await ai.chat("tiny", HI)
    assert made.message.content == SAID


@pytest.mark.parametrize("within", [False, True])
async def test_a_stream_that_breaks_is_noticed(
    proxy: RunningGateway, node: Ollama, within: bool
) -> None:
    """The stream breaks off between two lines, or within one."""
    data = recorded("chat-stream")
    between = data.index(b"\n\r\n", data.index(b" this")) + 3
    node.cut = between + 40 if within else between
    async with client(proxy) as ai:
        with pytest.raises(Exception, match=r"in the middle of its reply|incomplete") as caught:
            async for _ in await ai.chat("tiny", HI, stream=True):
                pass
    assert isinstance(caught.value, ollama.ResponseError) is not within


async def test_errors_are_ollama_s(proxy: RunningGateway) -> None:
    async with client(proxy, key="cdp-wrong") as stranger, client(proxy) as ai:
        with pytest.raises(ollama.ResponseError, match="unknown key") as wrong:
            await stranger.chat("tiny", HI)
        assert wrong.value.status_code == 401
        with pytest.raises(ollama.ResponseError, match="model 'nope' not found") as unknown:
            await ai.chat("nope", HI)
        assert unknown.value.status_code == 404
        with pytest.raises(ollama.ResponseError, match="administers Ollama"):
            await ai.pull("nope")
        with pytest.raises(ollama.ResponseError, match="administers Ollama"):
            await ai.delete("tiny")


async def test_what_is_openai_s_works_beside_it(proxy: RunningGateway) -> None:
    base = f"{proxy.url}/proxy/desk/ollama/v1"
    async with openai.AsyncOpenAI(base_url=base, api_key=KEY, max_retries=0) as ai:
        made = await ai.chat.completions.create(model="fast", messages=HI)  # type: ignore[arg-type]
        assert made.choices[0].message.content == SAID
        assert [one.id async for one in ai.models.list()]
