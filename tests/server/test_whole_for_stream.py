"""A node that answers a request for a stream with one document, and the reverse, seen through the
vendors' SDKs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from tests.e2e.relaying import STREAMS, UNARY, asking, relay
from tests.fixtures.raw_client import ask
from tests.fixtures.sdks import anthropic, genai, openai

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

KEY = "not-needed"
ASKED: Any = [{"role": "user", "content": "hi"}]
ARGUMENTS = {"city": "Ghent"}
CHAT = {
    "id": "c", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{
        "index": 0, "finish_reason": "tool_calls",
        "message": {
            "role": "assistant", "content": "good day", "refusal": None,
            "tool_calls": [{
                "id": "call_1", "type": "function",
                "function": {"name": "look", "arguments": json.dumps(ARGUMENTS)},
            }],
        },
    }],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
}  # fmt: skip
MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
    "content": [
        {"type": "text", "text": "good day"},
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": ARGUMENTS},
    ],
    "stop_reason": "tool_use", "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 4},
}  # fmt: skip
CONTENT = {
    "candidates": [{
        "index": 0, "finishReason": "STOP",
        "content": {"role": "model", "parts": [
            {"text": "good day"}, {"functionCall": {"name": "look", "args": ARGUMENTS}},
        ]},
    }],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7},
}  # fmt: skip
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed",
    "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None,
    "output": [
        {
            "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "good day", "annotations": []}],
        },
        {
            "id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1",
            "name": "look", "arguments": json.dumps(ARGUMENTS),
        },
    ],
    "usage": {
        "input_tokens": 3, "output_tokens": 4, "total_tokens": 7,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}  # fmt: skip


def reply(body: bytes, kind: str = "application/json") -> bytes:
    lines = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return lines.encode() + body


def whole(document: dict[str, Any]) -> bytes:
    return reply(json.dumps(document, indent=1).encode())


async def test_chat() -> None:
    ended: list[ExchangeRecord] = []
    async with relay(whole(CHAT), sinks=[ended.append]) as (gateway, _):
        base = f"{gateway.url}/proxy/d/openai/v1"
        ai = openai.AsyncOpenAI(base_url=base, api_key=KEY, max_retries=0)
        chat = ai.chat.completions.stream(model="m", messages=ASKED)
        async with ai, chat as stream:
            made: Any = await stream.get_final_completion()
    (choice,) = made.choices
    assert choice.message.content == "good day"
    assert choice.message.tool_calls[0].function.arguments == json.dumps(ARGUMENTS)
    assert choice.finish_reason == "tool_calls"
    assert made.usage.total_tokens == 7
    (exchange,) = ended
    assert exchange.terminal is Terminal.COMPLETED
    assert (exchange.usage.prompt, exchange.usage.output) == (3, 4)


async def test_completions() -> None:
    document = {**CHAT, "object": "text_completion"} | {
        "choices": [{"index": 0, "text": "good day", "finish_reason": "stop", "logprobs": None}]
    }
    async with relay(whole(document)) as (gateway, _):
        base = f"{gateway.url}/proxy/d/openai/v1"
        async with openai.AsyncOpenAI(base_url=base, api_key=KEY, max_retries=0) as ai:
            stream = await ai.completions.create(model="m", prompt="hi", stream=True)
            assert [chunk.choices[0].text async for chunk in stream] == ["good day"]


async def test_responses() -> None:
    async with relay(whole(RESPONSE), speaks=["responses"]) as (gateway, _):
        base = f"{gateway.url}/proxy/d/openai/v1"
        ai = openai.AsyncOpenAI(base_url=base, api_key=KEY, max_retries=0)
        async with ai, ai.responses.stream(model="m", input="hi") as stream:
            made: Any = await stream.get_final_response()
    assert made.output_text == "good day"
    assert made.output[1].arguments == json.dumps(ARGUMENTS)
    assert made.usage.total_tokens == 7


async def test_messages() -> None:
    async with relay(whole(MESSAGE)) as (gateway, _):
        base = f"{gateway.url}/proxy/d/anthropic"
        claude = anthropic.AsyncAnthropic(base_url=base, api_key=KEY, max_retries=0)
        talk = claude.messages.stream(model="m", max_tokens=9, messages=ASKED)
        async with claude, talk as stream:
            made: Any = await stream.get_final_message()
    assert made.content[0].text == "good day"
    assert made.content[1].input == ARGUMENTS
    assert made.stop_reason == "tool_use"
    assert (made.usage.input_tokens, made.usage.output_tokens) == (3, 4)


async def test_gemini() -> None:
    async with relay(whole(CONTENT)) as (gateway, _):
        options: Any = {"base_url": f"{gateway.url}/proxy/d/gemini"}
        async with genai.Client(api_key=KEY, http_options=options).aio as client:
            stream = await client.models.generate_content_stream(model="m", contents="hi")
            chunks: list[Any] = [one async for one in stream]
    (chunk,) = chunks
    assert chunk.candidates[0].content.parts[0].text == "good day"
    assert chunk.function_calls[0].args == ARGUMENTS
    assert chunk.usage_metadata.total_token_count == 7


@pytest.mark.parametrize("surface", ["gemini", "anthropic", "openai", "unasked"])
async def test_a_document_that_is_no_answer_never_looks_like_a_stream(surface: str) -> None:
    async with relay(whole({"status": "ok"})) as (gateway, _):
        got = await ask(gateway.url, asking(STREAMS[surface]))
    assert got.status in (500, 502)
    assert b"node n sent a reply without an answer: " in got.body


async def test_google_s_array_is_an_array() -> None:
    async with relay(whole(CONTENT)) as (gateway, _):
        got = await ask(gateway.url, asking(STREAMS["array"]))
    assert got.status in (500, 502)
    assert b"node n did not answer with a JSON array" in got.body


async def test_google_s_array_in_the_place_of_events_becomes_them() -> None:
    array = reply(json.dumps([CONTENT]).encode(), "application/json")
    async with relay(array) as (gateway, _):
        got = await ask(gateway.url, asking(STREAMS["gemini"]))
    assert got.status == 200
    assert json.loads(got.body.removeprefix(b"data: ")) == CONTENT


async def test_events_in_the_place_of_google_s_array_become_it() -> None:
    """LiteLLM sends them without ``alt=sse``, too."""
    half = CONTENT | {"candidates": [{"content": {"parts": [{"text": "good"}]}}]}
    for document in (CONTENT, half):
        events = b"data: " + json.dumps(document).encode() + b"\r\n\r\n"
        async with relay(reply(events, "text/event-stream")) as (gateway, _):
            got = await ask(gateway.url, asking(STREAMS["array"]))
        assert got.status == 200
        if document is half:
            assert b"node n's reply ended before the answer was complete" in got.body
        else:
            assert json.loads(got.body) == [CONTENT]


@pytest.mark.parametrize("surface", ["gemini", "anthropic", "openai"])
async def test_a_stream_is_no_reply_to_a_request_for_a_document(surface: str) -> None:
    events = reply(b"data: {}\n\n", "text/event-stream")
    async with relay(events) as (gateway, _):
        got = await ask(gateway.url, asking(UNARY[surface]))
    assert got.status in (500, 502)
    assert b"node n answered a request for one reply with a stream" in got.body
