"""Inference paths of engines with real clients: on a scripted node, and on a real llama-server,
which gives the same answers through the proxy as directly."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.fixtures.proxy import RunningGateway, proxy_here
from tests.fixtures.raw_node import RawNode, raw_node
from tests.fixtures.sdks import openai
from tests.nodes.llama_server import LlamaNode

#: What changes from one run to the next: times, and a seed that was drawn.
_TIMES = re.compile(rb'"timings":\{[^{}]*\}|"seed":\d+|"id_slot":\d+|"tokens_cached":\d+')
INFILL = {
    "id_slot": 0,
    "input_prefix": "def f(x):\n",
    "input_suffix": "\n",
    "input_extra": [{"filename": "a.py", "text": "import os"}],
    "prompt": "    return ",
    "n_predict": 4,
    "temperature": 0,
    "top_k": 1,
    "samplers": ["top_k"],
    "cache_prompt": False,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 1000,
}
COMPLETION = {"prompt": "hi", "n_predict": 4, "temperature": 0, "cache_prompt": False, "seed": 1}
CHAT = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def llama(llama_node: LlamaNode) -> AsyncIterator[tuple[RunningGateway, LlamaNode]]:
    config = {
        "default_deployment": "d",
        "nodes": {"n": {"url": llama_node.url, "engine": "llama-server", "models": ["tiny"]}},
        "deployments": {"d": {"nodes": ["n"], "auth": "none", "aliases": {"coder": "tiny"}}},
    }
    async with proxy_here(config) as proxy:
        yield proxy, llama_node


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tokenize", {"content": "Hello, world", "with_pieces": True}),
        ("/detokenize", {"tokens": [1, 2, 3]}),
        ("/apply-template", CHAT),
        ("/completion", COMPLETION),
        ("/completion", {**COMPLETION, "stream": True}),
        ("/infill", INFILL),
        ("/embedding", {"content": "Hello"}),
        ("/v1/rerank", {"query": "a", "documents": ["b", "c"]}),
        ("/v1/chat/completions/input_tokens", CHAT),
    ],
)
async def test_a_real_llama_server_answers_as_it_does_directly(
    llama: tuple[RunningGateway, LlamaNode], path: str, body: dict[str, Any]
) -> None:
    """It does so too for requests that this build does not support, unless it lacks the path."""
    proxy, node = llama
    async with httpx.AsyncClient(timeout=30) as client:
        direct = await client.post(f"{node.url}{path}", json=body)
        for mount in ("/proxy/d/node", "", "/proxy/d/openai"):
            through = await client.post(f"{proxy.url}{mount}{path}", json=body)
            if direct.status_code == 404:
                assert f"does not offer {path.removeprefix('/v1/')}"[:20] in through.text
                continue
            assert through.status_code == direct.status_code, through.text
            assert _TIMES.sub(b"", through.content) == _TIMES.sub(b"", direct.content)
            assert through.headers["content-type"] == direct.headers["content-type"]
        named = await client.post(f"{proxy.url}{path}", json={**body, "model": "coder"})
        assert named.status_code == direct.status_code


@pytest.mark.parametrize("stream", [True, False])
async def test_a_real_llama_server_s_own_completions_are_counted(
    llama: tuple[RunningGateway, LlamaNode], stream: bool
) -> None:
    proxy, _ = llama
    ended: list[Any] = []
    proxy.sinks.append(ended.append)
    async with httpx.AsyncClient(timeout=30) as client:
        reply = await client.post(f"{proxy.url}/completion", json={**COMPLETION, "stream": stream})
    assert reply.status_code == 200
    while not ended:
        await asyncio.sleep(0)
    assert ended[0].usage.prompt > 0
    assert ended[0].usage.output == 4


@pytest.mark.parametrize("path", ["/slots/0?action=erase", "/props", "/lora-adapters", "/sleep"])
async def test_a_real_llama_server_is_not_administered(
    llama: tuple[RunningGateway, LlamaNode], path: str
) -> None:
    proxy, _ = llama
    async with httpx.AsyncClient() as client:
        for mount in ("", "/v1", "/proxy/d/node", "/proxy/d/openai/v1"):
            refused = await client.post(f"{proxy.url}{mount}{path}", json={})
            assert refused.status_code == 403
            assert refused.json()["error"]["code"] == "administration"


SPOKEN = bytes(range(256)) * 2000
ANSWERS = {
    "/v1/audio/speech": (b"audio/mpeg", SPOKEN),
    "/v1/audio/transcriptions": (b"application/json", b'{"text":"Hallo"}'),
    "/v1/audio/translations": (b"text/plain", b"Hello\n"),
    "/v1/images/generations": (b"application/json", b'{"created":1,"data":[{"b64_json":"aGk="}]}'),
    "/v1/images/edits": (b"application/json", b'{"created":1,"data":[{"b64_json":"aGk="}]}'),
    "/v1/images/variations": (b"application/json", b'{"created":1,"data":[{"b64_json":"aGk="}]}'),
    "/v2/rerank": (
        b"application/json",
        b'{"id":"r","model":"ranker","usage":{"prompt_tokens":9,"total_tokens":9},"results":'
        b'[{"index":1,"document":{"text":"b"},"relevance_score":0.9}]}',
    ),
}


async def _play(connection: Any) -> None:
    while True:
        request = await connection.request()
        # Its list of models is asked for, too.
        kind, body = ANSWERS.get(request.target, (b"application/json", b"{}"))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
        await connection.send(head % (kind, len(body)), body)


@pytest.fixture
async def scripted() -> AsyncIterator[tuple[RunningGateway, RawNode]]:
    async with raw_node(play=_play) as node:
        models = ["tts", "whisper", "painter", "ranker"]
        config = {
            "default_deployment": "d",
            "nodes": {"n": {"url": node.url, "engine": "vllm", "models": models}},
            "deployments": {"d": {"nodes": ["n"], "auth": "none", "aliases": {"tts-1": "tts"}}},
        }
        async with proxy_here(config) as proxy:
            yield proxy, node


async def test_openai_s_sdk_speaks_transcribes_and_translates(
    scripted: tuple[RunningGateway, RawNode],
) -> None:
    proxy, node = scripted
    base = f"{proxy.url}/proxy/d/openai/v1"
    async with openai.AsyncOpenAI(base_url=base, api_key="x", max_retries=0) as ai:
        speech = await ai.audio.speech.create(model="tts-1", voice="alloy", input="Hallo")
        assert speech.content == SPOKEN
        assert json.loads(node.requests[-1].body)["model"] == "tts"
        async with ai.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input="Hallo"
        ) as stream:
            assert b"".join([piece async for piece in stream.iter_bytes()]) == SPOKEN
        sound = io.BytesIO(SPOKEN)
        sound.name = "a.wav"
        said = await ai.audio.transcriptions.create(model="whisper", file=sound, language="de")
        assert said.text == "Hallo"
        assert SPOKEN in node.requests[-1].body
        sound.seek(0)
        with pytest.warns(DeprecationWarning, match="deprecated"):
            told = await ai.audio.translations.create(
                model="whisper", file=sound, response_format="text"
            )
        assert told == "Hello\n"
        with pytest.raises(openai.NotFoundError, match="whisper"):
            await ai.audio.transcriptions.create(model="wisper", file=sound)


async def test_openai_s_sdk_draws(scripted: tuple[RunningGateway, RawNode]) -> None:
    proxy, node = scripted
    async with openai.AsyncOpenAI(base_url=f"{proxy.url}/v1", api_key="x", max_retries=0) as ai:
        drawn = await ai.images.generate(model="painter", prompt="a cat")
        picture = ("a.png", SPOKEN, "image/png")
        edited = await ai.images.edit(model="painter", image=picture, prompt="a dog")
        with pytest.warns(DeprecationWarning, match="deprecated"):
            varied = await ai.images.create_variation(model="painter", image=picture)
        for made in (drawn, edited, varied):
            assert made.data is not None
            assert made.data[0].b64_json == "aGk="
        assert [one.target for one in node.requests if "images" in one.target] == [
            "/v1/images/generations", "/v1/images/edits", "/v1/images/variations",
        ]  # fmt: skip


async def test_a_reranker_s_client_reranks_and_is_counted(
    scripted: tuple[RunningGateway, RawNode],
) -> None:
    proxy, node = scripted
    ended: list[Any] = []
    proxy.sinks.append(ended.append)
    body = {"model": "ranker", "query": "a", "documents": ["a", "b"], "top_n": 1}
    async with httpx.AsyncClient() as client:
        reply = await client.post(f"{proxy.url}/v2/rerank", json=body)
    assert reply.content == ANSWERS["/v2/rerank"][1]
    assert json.loads(node.requests[-1].body) == body
    while not ended:
        await asyncio.sleep(0)
    assert (ended[0].usage.prompt, ended[0].action) == (9, "rerank")
