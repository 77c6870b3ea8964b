"""Gemini's protocol: bodies, counts and embeddings, and streams that are framed as Google's."""

from __future__ import annotations

import json

import pytest

from casedesk_proxy.simulator.answer import embed, say
from tests.fixtures.raw_client import ask, request
from tests.fixtures.simulated import simulator
from tests.simulator.asking import WORDS, stream


async def test_events_are_framed_as_google_s() -> None:
    async with simulator() as node:
        message = await stream(node, "sse")
    frames = message.body.split(b"\r\n\r\n")
    assert frames.pop() == b""
    assert len(frames) == WORDS
    assert all(frame.startswith(b"data: {") and b"\n" not in frame for frame in frames)
    assert message.chunks == [frame + b"\r\n\r\n" for frame in frames]
    last = json.loads(frames[-1][6:])
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert last["candidates"][0]["content"]["parts"][0]["text"] == " day"
    assert last["usageMetadata"] == {
        "promptTokenCount": 2,
        "candidatesTokenCount": WORDS,
        "totalTokenCount": WORDS + 2,
    }


async def test_an_array_is_framed_as_google_s() -> None:
    async with simulator() as node:
        message = await stream(node, "array")
    assert message.value("content-type") == b"application/json; charset=UTF-8"
    elements = message.body.split(b"\r\n,\r\n")
    assert elements[0].startswith(b"[{")
    assert elements[-1].endswith(b"}\r\n]")
    assert len(elements) == WORDS == len(json.loads(message.body))


PARTS = {"contents": [{"role": "user", "parts": [{"text": "hi"}, {"text": "there"}]}]}


async def test_a_generated_body() -> None:
    async with simulator() as node:
        body = {**PARTS, "systemInstruction": {"parts": {"text": "be brief"}}}
        reply = await ask(node.url, request("/v1/models/gemma2:9b:generateContent", body))
    value = json.loads(reply.body)
    text = value["candidates"][0]["content"]["parts"][0]["text"]
    assert text == say("hi there")
    assert value["modelVersion"] == "gemma2:9b"
    assert value["usageMetadata"]["promptTokenCount"] == 4
    assert value["usageMetadata"]["candidatesTokenCount"] == len(text.split())


@pytest.mark.parametrize("body", [PARTS, {"generateContentRequest": PARTS}])
async def test_counts_in_both_forms(body: dict) -> None:
    async with simulator() as node:
        reply = await ask(node.url, request("/v1beta/models/sim:countTokens", body))
    assert json.loads(reply.body)["totalTokens"] == 2


async def test_embeddings() -> None:
    one = {"content": {"parts": [{"text": "one"}]}, "outputDimensionality": 40}
    two = {"content": {"parts": [{"text": "two"}]}}
    async with simulator() as node:
        single = await ask(node.url, request("/v1beta/models/sim-embed:embedContent", one))
        batch = await ask(
            node.url,
            request("/v1beta/models/sim-embed:batchEmbedContents", {"requests": [one, two]}),
        )
    assert json.loads(single.body) == {"embedding": {"values": embed("one", 40)}}
    assert [len(item["values"]) for item in json.loads(batch.body)["embeddings"]] == [40, 8]
