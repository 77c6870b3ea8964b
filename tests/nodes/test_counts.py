"""A prompt has the same number of tokens in every API, whatever the node has in its cache."""

from __future__ import annotations

import pytest

from casedesk_proxy.limits.use import count_tokens
from casedesk_proxy.replying.record import ExchangeRecord
from tests.fixtures.proxy import proxy_here
from tests.fixtures.raw_client import ask, request
from tests.nodes.llama_server import LlamaNode

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8}
GEMINI = {
    "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
    "generationConfig": {"maxOutputTokens": 8},
}
VERSION = "anthropic-version: 2023-06-01"
REQUESTS = {
    "chat": request("/v1/chat/completions", CHAT),
    "chat, streamed": request("/v1/chat/completions", {**CHAT, "stream": True}),
    "messages": request("/v1/messages", CHAT, VERSION),
    "messages, streamed": request("/v1/messages", {**CHAT, "stream": True}, VERSION),
    "messages, translated": request(
        "/v1/messages", {**CHAT, "output_config": {"effort": "low"}}, VERSION
    ),
    "gemini": request("/v1beta/models/tiny:generateContent", GEMINI),
    "gemini, streamed": request("/v1beta/models/tiny:streamGenerateContent?alt=sse", GEMINI),
    "responses": request(
        "/v1/responses", {"model": "tiny", "input": "hi", "max_output_tokens": 16}
    ),
}


@pytest.mark.parametrize("kind", REQUESTS)
async def test_a_prompt_counts_the_same_read_from_the_cache_or_not(
    llama_node: LlamaNode, kind: str
) -> None:
    config = {
        "nodes": {"llama": {"url": llama_node.url, "engine": "llama-server"}},
        "deployments": {"d": {"nodes": ["llama"], "auth": "none"}},
        "default_deployment": "d",
    }
    ended: list[ExchangeRecord] = []
    async with proxy_here(config) as proxy:
        proxy.sinks.append(ended.append)
        for one in (REQUESTS["chat"], REQUESTS[kind], REQUESTS[kind]):
            assert (await ask(proxy.url, one)).status == 200
    plain, *asked = (record.usage for record in ended)
    assert plain.prompt is not None
    assert asked[-1].cached, "the node had the prompt in its cache"
    assert {one.prompt for one in asked} == {plain.prompt}
    assert {count_tokens(one) - (one.output or 0) for one in asked} == {plain.prompt}
    assert not any(one.estimated for one in asked)
