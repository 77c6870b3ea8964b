"""What llama-server loses on its own /v1/messages, and that clients of the proxy lose nothing.

The configuration is the one that `init` writes for it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from casedesk_proxy.cli.starter import name_nodes, starter_config
from casedesk_proxy.config.load import load_config
from casedesk_proxy.keystore.credential import mint
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.upstream.detection import detect_engine
from casedesk_proxy.upstream.inquiries import Inquirer
from tests.fixtures.raw_client import ask, request
from tests.nodes.llama_server import LlamaNode
from tests.nodes.tiny_model import REPLY, THOUGHT

HI = {"role": "user", "content": "hi"}
VERSION = "anthropic-version: 2023-06-01"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORMAT = {"type": "json_schema", "schema": SCHEMA}
WEATHER = {"name": "get_weather", "input_schema": {"type": "object",
           "properties": {"city": {"type": "string"}}}}  # fmt: skip
TIME = {"name": "get_time", "input_schema": {"type": "object", "properties": {}}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf",
       "data": "JVBERi0xLjQK"}}  # fmt: skip
NOTE = {"type": "document", "source": {"type": "text", "media_type": "text/plain",
        "data": "endless"}}  # fmt: skip
CALL = {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}}


def body(**more: Any) -> dict[str, Any]:
    return {"model": "tiny", "max_tokens": 200, "temperature": 0, "messages": [HI], **more}


async def tell(node: LlamaNode, **more: Any) -> dict[str, Any]:
    """The node's own answer."""
    reply = await ask(node.url, request("/v1/messages", body(**more), VERSION))
    assert reply.status == 200, reply.body
    return dict(json.loads(reply.body))


class Proxy:
    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = f"Authorization: Bearer {token}"

    async def ask(self, **more: Any) -> tuple[int, dict[str, Any]]:
        reply = await ask(self.url, request("/v1/messages", body(**more), VERSION, self.token))
        return reply.status, json.loads(reply.body)

    async def tell(self, **more: Any) -> dict[str, Any]:
        status, document = await self.ask(**more)
        assert status == 200, document
        return document


@asynccontextmanager
async def initialised(node: LlamaNode) -> AsyncIterator[Proxy]:
    async with aiohttp.ClientSession() as session:
        found = await detect_engine(Inquirer(session, node.url))
    assert found is not None
    credential = mint()
    named = name_nodes([(node.url, found)])
    text = starter_config(named, "127.0.0.1:0", "127.0.0.1:0", credential)
    gateway = Gateway(load_config(text, "init.yaml").config, {})
    await gateway.start()
    try:
        yield Proxy(gateway.urls[0], credential.key)
    finally:
        await gateway.stop()


@pytest.fixture
async def proxy(llama_node: LlamaNode) -> AsyncIterator[Proxy]:
    async with initialised(llama_node) as made:
        yield made


def texts(message: dict[str, Any]) -> str:
    return "".join(one["text"] for one in message["content"] if one["type"] == "text")


def calls(message: dict[str, Any]) -> list[str]:
    return [one["name"] for one in message["content"] if one["type"] == "tool_use"]


def read_tokens(message: dict[str, Any]) -> int:
    usage = message["usage"]
    return int(usage["input_tokens"]) + int(usage.get("cache_read_input_tokens", 0))


def is_the_node_s_own(message: dict[str, Any]) -> bool:
    return bool(message["id"].startswith("chatcmpl"))


@pytest.mark.parametrize("more", [{"output_config": {"format": FORMAT}}, {"output_format": FORMAT}])
async def test_a_response_format_is_followed(
    llama_node: LlamaNode, proxy: Proxy, more: dict[str, Any]
) -> None:
    assert texts(await tell(llama_node, **more)) == REPLY
    assert json.loads(texts(await proxy.tell(**more))).keys() == {"n"}


async def test_a_pdf_is_refused_and_a_text_is_read(llama_node: LlamaNode, proxy: Proxy) -> None:
    turn = {"role": "user", "content": [PDF, {"type": "text", "text": "what is this?"}]}
    assert texts(await tell(llama_node, messages=[turn])) == REPLY
    status, document = await proxy.ask(messages=[turn])
    assert status == 400
    assert "messages.0.content.0" in document["error"]["message"]
    # The word in it makes the model go round.
    turn = {"role": "user", "content": [NOTE, {"type": "text", "text": "sum up"}]}
    assert (await tell(llama_node, messages=[turn]))["stop_reason"] == "end_turn"
    assert (await proxy.tell(messages=[turn]))["stop_reason"] == "max_tokens"


@pytest.mark.parametrize(
    "kind", ["web_search_20250305", "bash_20250124", "code_execution_20250522"]
)
async def test_a_tool_of_anthropic_s_is_refused(
    llama_node: LlamaNode, proxy: Proxy, kind: str
) -> None:
    tool = {"type": kind, "name": kind.rpartition("_")[0]}
    await tell(llama_node, tools=[tool])
    status, document = await proxy.ask(tools=[WEATHER, tool])
    assert status == 400
    assert "tools.1" in document["error"]["message"]


async def test_which_tool_is_used(llama_node: LlamaNode, proxy: Proxy) -> None:
    none = {"tools": [WEATHER], "tool_choice": {"type": "none"}}
    assert calls(await tell(llama_node, **none)) == ["get_weather"]
    assert calls(await proxy.tell(**none)) == []
    named = {"tools": [WEATHER, TIME], "tool_choice": {"type": "tool", "name": "get_time"}}
    assert calls(await tell(llama_node, **named)) == ["get_weather"]
    assert set(calls(await proxy.tell(**named))) == {"get_time"}


async def test_thinking_is_switched_off(thinking_llama_node: LlamaNode) -> None:
    off = {"thinking": {"type": "disabled"}}
    first = (await tell(thinking_llama_node, **off))["content"][0]
    assert first["thinking"].strip() == THOUGHT
    async with initialised(thinking_llama_node) as proxy:
        assert (await proxy.tell(**off))["content"] == [{"type": "text", "text": REPLY}]


async def test_what_came_of_a_tool_is_read(llama_node: LlamaNode, proxy: Proxy) -> None:
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [NOTE]}
    talk = [HI, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [result]}]
    own = await tell(llama_node, messages=talk, tools=[WEATHER])
    read = await proxy.tell(messages=talk, tools=[WEATHER])
    assert read_tokens(read) > read_tokens(own)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"system": "Be kind.", "stop_sequences": ["xyz"], "top_k": 5, "metadata": {"user_id": "u"}},
        {"tools": [WEATHER]},
        {"tools": [WEATHER], "tool_choice": {"type": "any"}},
        # As Claude Code asks: no chat template of this model reads an effort.
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        {"messages": [HI, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "sunny", "is_error": False}]}],
         "tools": [WEATHER]},
    ],
)  # fmt: skip
async def test_all_else_stays_as_it_is(
    llama_node: LlamaNode, proxy: Proxy, more: dict[str, Any]
) -> None:
    mine, own = await proxy.tell(**more), await tell(llama_node, **more)
    assert is_the_node_s_own(mine)
    assert (texts(mine), calls(mine)) == (texts(own), calls(own))
