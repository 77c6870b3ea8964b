"""OpenAI's protocol: embeddings, and streams with their counts and their end."""

from __future__ import annotations

import base64
import json
import struct

import pytest

from casedesk_proxy.simulator.answer import embed
from tests.fixtures.raw_client import ask, request
from tests.fixtures.simulated import simulator
from tests.simulator.asking import WORDS, events, stream


@pytest.mark.parametrize("surface", ["chat", "completions"])
async def test_counts_are_sent_only_on_request(surface: str) -> None:
    async with simulator() as node:
        plain = await stream(node, surface)
        counted = await stream(node, surface, stream_options={"include_usage": True})
    for message in (plain, counted):
        assert message.body.endswith(b"data: [DONE]\n\n")
    assert not [data for _, data in events(plain) if "usage" in data]
    last = events(counted)[-1][1]
    assert last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 2,
        "completion_tokens": WORDS,
        "total_tokens": WORDS + 2,
    }
    assert events(counted)[-2][1]["choices"][0]["finish_reason"] == "stop"


async def test_embeddings_in_both_formats() -> None:
    body = {"model": "sim", "input": ["one", "two"], "dimensions": 3}
    async with simulator() as node:
        plain = await ask(node.url, request("/v1/embeddings", body))
        packed = await ask(
            node.url, request("/v1/embeddings", {**body, "encoding_format": "base64"})
        )
    vectors = [item["embedding"] for item in json.loads(plain.body)["data"]]
    assert vectors == [embed("one", 3), embed("two", 3)]
    strings = [item["embedding"] for item in json.loads(packed.body)["data"]]
    assert [list(struct.unpack("<3f", base64.b64decode(one))) for one in strings] == vectors
