"""OpenAI's Responses on a real llama-server, whose own stream no SDK can read: translated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.e2e.conftest import FOREIGN_KEY, Desk
from tests.fixtures.sdks import openai

HELLO = "Hello, this is a tiny test model. It says café 😀 and stops here."
MOUNTS = ("/proxy/lab/openai/v1", "/v1", "/proxy/lab/openai")
MCP: dict[str, Any] = {
    "type": "namespace",
    "name": "mcp__weather",
    "description": "",
    "tools": [{"type": "function", "name": "get_weather", "parameters": {}, "strict": False}],
}


@pytest.fixture(params=MOUNTS)
async def client(request: Any, desk: Desk) -> AsyncIterator[openai.AsyncOpenAI]:
    url = desk.url + request.param
    async with openai.AsyncOpenAI(base_url=url, api_key=FOREIGN_KEY, max_retries=0) as made:
        yield made


async def test_create(client: openai.AsyncOpenAI) -> None:
    reply = await client.responses.create(model="tiny", input="Hello")
    assert reply.output_text == HELLO
    assert reply.status == "completed"
    assert reply.model == "tiny"
    assert reply.created_at > 1_700_000_000
    assert reply.usage
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens > 0


async def test_stream(client: openai.AsyncOpenAI) -> None:
    async with client.responses.stream(model="tiny", input="Hello") as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert final.output_text == HELLO
    assert kinds[0] == "response.created"
    assert kinds.count("response.output_text.delta") > 5
    assert kinds[-1] == "response.completed"


async def test_plain_stream(client: openai.AsyncOpenAI) -> None:
    stream = await client.responses.create(model="tiny", input="Hello", stream=True)
    events = [event async for event in stream]
    assert [event.sequence_number for event in events] == list(range(len(events)))


async def test_a_conversation_with_tools(client: openai.AsyncOpenAI) -> None:
    raw = await client.responses.with_raw_response.create(
        model="tiny",
        input=[
            {"role": "user", "content": "Weather?"},
            {
                "type": "function_call",
                "call_id": "call_1",
                "name": "get_weather",
                "namespace": "mcp__weather",
                "arguments": "{}",
            },
            {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        ],
        tools=[MCP, {"type": "web_search"}],  # type: ignore[list-item]
        tool_choice="none",
    )
    assert raw.headers["x-casedesk-dropped"] == "tools[1]:web_search"
    assert raw.parse().status == "completed"


async def test_faults_are_named_all_at_once(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.responses.create(
            model="tiny", input="Hi", previous_response_id="resp_1", background=True
        )
    assert "previous_response_id" in caught.value.message
    assert "background" in caught.value.message
    assert caught.value.param == "previous_response_id"


async def test_an_unknown_model(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await client.responses.create(model="nowhere", input="Hi")
    assert "nowhere" in caught.value.message
    assert caught.value.code == "model_not_found"


async def test_a_wrong_key(desk: Desk) -> None:
    url = desk.url + "/proxy/lab/openai/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.responses.create(model="tiny", input="Hi")
    assert caught.value.code == "invalid_api_key"


async def test_what_is_not_stored_is_not_found(client: openai.AsyncOpenAI) -> None:
    for ask in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            await ask("resp_1")


async def test_the_log_has_the_usage(desk: Desk) -> None:
    url = desk.url + "/proxy/lab/openai/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key=FOREIGN_KEY) as client:
        reply = await client.responses.create(model="tiny", input="Hello")
    assert reply.usage
    wanted = rf"surface=responses .*output_tokens={reply.usage.output_tokens}"
    assert desk.proxy.find(wanted)
