"""google-genai on a real llama-server of which only the Anthropic route is used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.proxy import proxy_here
from tests.fixtures.sdks import genai
from tests.nodes.llama_server import LlamaNode
from tests.nodes.tiny_model import REPLY, THOUGHT

STOP, MAX_TOKENS = "STOP", "MAX_TOKENS"


def weather() -> genai.types.Tool:
    city = genai.types.Schema(type="STRING")
    parameters = genai.types.Schema(type="OBJECT", properties={"city": city})
    made = genai.types.FunctionDeclaration(name="get_weather", parameters=parameters)
    return genai.types.Tool(function_declarations=[made])


async def drive(node: LlamaNode, use: Callable[[genai.Client], Any]) -> Any:
    """What a blocking client gets from a proxy whose node speaks only Anthropic."""
    config = {
        "nodes": {"n": {"url": node.url, "engine": "llama-server", "speaks": ["anthropic"]}},
        "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
    }

    def run(url: str) -> Any:
        options = genai.types.HttpOptions(base_url=f"{url}/proxy/d/gemini")
        with genai.Client(api_key="x", vertexai=False, http_options=options) as ai:
            return use(ai)

    async with proxy_here(config) as gateway:
        return await asyncio.to_thread(run, gateway.url)


def ask(ai: genai.Client, **config: Any) -> genai.types.GenerateContentResponse:
    return ai.models.generate_content(model="gemma2:9b", contents="hi", config=config)


def stream(ai: genai.Client, **config: Any) -> list[Any]:
    return list(ai.models.generate_content_stream(model="gemma2:9b", contents="hi", config=config))


async def test_text(llama_node: LlamaNode) -> None:
    reply = await drive(llama_node, lambda ai: ask(ai, system_instruction="Be kind."))
    assert reply.text == REPLY
    assert reply.candidates[0].finish_reason == STOP
    assert reply.usage_metadata.candidates_token_count == 21
    assert reply.usage_metadata.prompt_token_count > 6


async def test_a_stream(llama_node: LlamaNode) -> None:
    chunks = await drive(llama_node, stream)
    assert "".join(chunk.text for chunk in chunks) == REPLY
    assert len(chunks) > 10
    assert chunks[-1].candidates[0].finish_reason == STOP
    assert chunks[-1].usage_metadata.total_token_count == 27


@pytest.mark.parametrize("mode", ["AUTO", "ANY"])
async def test_a_call(llama_node: LlamaNode, mode: str) -> None:
    config = {"tools": [weather()], "tool_config": {"function_calling_config": {"mode": mode}}}
    chunks = await drive(llama_node, lambda ai: stream(ai, **config))
    (call,) = chunks[-1].function_calls
    assert (call.name, call.args) == ("get_weather", {"city": "Paris"})


async def test_a_limit(llama_node: LlamaNode) -> None:
    reply = await drive(llama_node, lambda ai: ask(ai, max_output_tokens=3))
    assert (reply.text, reply.candidates[0].finish_reason) == ("Hello, this", MAX_TOKENS)


async def test_thoughts(thinking_llama_node: LlamaNode) -> None:
    wanted = {"thinking_config": {"include_thoughts": True}}
    reply = await drive(thinking_llama_node, lambda ai: ask(ai, **wanted))
    thought, said = reply.candidates[0].content.parts
    assert (thought.thought, thought.text.strip(), said.text) == (True, THOUGHT, REPLY)


async def test_token_counts_are_the_nodes(llama_node: LlamaNode) -> None:
    count = await drive(
        llama_node, lambda ai: ai.models.count_tokens(model="gemma2:9b", contents="hi")
    )
    assert count.total_tokens == 6


@pytest.mark.parametrize(
    "config", [{"candidate_count": 2}, {"response_mime_type": "application/json"}]
)
async def test_what_that_route_has_not_is_refused(
    llama_node: LlamaNode, config: dict[str, Any]
) -> None:
    def use(ai: genai.Client) -> genai.errors.ClientError:
        with pytest.raises(genai.errors.ClientError) as caught:
            ask(ai, **config)
        return caught.value

    assert (await drive(llama_node, use)).message.startswith("unsupported_")
