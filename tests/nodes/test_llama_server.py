"""The properties of the real node on which all its tests rely."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.raw_client import ask, connect, request
from tests.fixtures.raw_peer import Parting
from tests.nodes.llama_server import LlamaNode, llama_server
from tests.nodes.tiny_model import REPLY, RING, THOUGHT

HI = [{"role": "user", "content": "hi"}]
CALL = {"role": "assistant", "content": None, "tool_calls": [
    {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
]}  # fmt: skip
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


async def chat(node: LlamaNode, **more: Any) -> dict[str, Any]:
    body = {"model": "tiny", "messages": HI, **more}
    reply = await ask(node.url, request("/v1/chat/completions", body))
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


@pytest.mark.parametrize("temperature", [0, 1])
async def test_the_reply_is_known(llama_node: LlamaNode, temperature: float) -> None:
    made = await chat(llama_node, temperature=temperature)
    assert made["choices"][0]["message"]["content"] == REPLY
    assert made["choices"][0]["finish_reason"] == "stop"
    assert made["usage"]["completion_tokens"] == 21


@pytest.mark.parametrize("choice", ["auto", "required"])
async def test_tools_are_called(llama_node: LlamaNode, choice: str) -> None:
    made = await chat(llama_node, tools=[TOOL], tool_choice=choice)
    (call,) = made["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}


async def test_a_tools_result_is_answered(llama_node: LlamaNode) -> None:
    result = {"role": "tool", "tool_call_id": "1", "content": "sunny"}
    made = await chat(llama_node, tools=[TOOL], messages=[*HI, CALL, result])
    assert made["choices"][0]["message"]["content"] == REPLY


async def test_endless_goes_round(llama_node: LlamaNode) -> None:
    messages = [{"role": "user", "content": "endless"}]
    made = await chat(llama_node, messages=messages, max_tokens=300)
    assert made["choices"][0]["message"]["content"].split() == [*RING, *RING, *RING[:40]]
    assert made["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("schema", "content"),
    [
        ({"type": "string"}, '""'),
        ({"type": "integer"}, "0"),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "n": {"type": "integer"}},
                "required": ["a", "n"],
            },
            '{"a":"","n":0}',
        ),
    ],
)
async def test_schemas_get_short_values(
    llama_node: LlamaNode, schema: dict[str, Any], content: str
) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    made = await chat(llama_node, response_format=wanted, temperature=0, max_tokens=50)
    assert made["choices"][0]["message"]["content"] == content


async def test_thinking_comes_first_unless_switched_off(thinking_llama_node: LlamaNode) -> None:
    thinks = await chat(thinking_llama_node)
    silent = await chat(thinking_llama_node, chat_template_kwargs={"enable_thinking": False})
    message = thinks["choices"][0]["message"]
    assert message["reasoning_content"].strip() == THOUGHT
    assert message["content"] == REPLY
    assert "reasoning_content" not in silent["choices"][0]["message"]


async def test_a_crash_resets_or_closes_its_connections(llama_node: LlamaNode) -> None:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "endless"}], "stream": True}
    with llama_server(llama_node.model) as node:
        async with connect(node.url) as client:
            client.write(request("/v1/chat/completions", body))
            await client.until_received(b"w100")
            node.crash()
            await asyncio.wait_for(client.until_gone(), PATIENCE_S)
            assert client.parting in (Parting.FIN, Parting.RST)
            assert not client.received.endswith(b"0\r\n\r\n")
