"""Documented calls by hand, on a real node behind a translation to OpenAI; refusals leave no
trace."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.relaying import asking, relay
from tests.fixtures.messages import Message
from tests.fixtures.proxy import ProxyProcess
from tests.fixtures.raw_client import ask, request
from tests.nodes.tiny_model import REPLY

MODEL = "/proxy/tiny/gemini/v1beta/models/gemma2:9b"
HI = {"contents": [{"parts": [{"text": "hi"}]}]}
SCHEMA = {
    "type": "OBJECT",
    "properties": {"a": {"type": "STRING"}, "n": {"type": "INTEGER"}},
    "required": ["a", "n"],
}


async def generate(proxy: ProxyProcess, body: Any, target: str = MODEL) -> dict[str, Any]:
    reply = await ask(proxy.url, request(f"{target}:generateContent", body))
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def text_of(*replies: dict[str, Any]) -> str:
    candidates = [one for reply in replies for one in reply["candidates"]]
    return "".join(part["text"] for one in candidates for part in one["content"]["parts"])


@pytest.mark.parametrize(
    "target",
    [
        MODEL,
        "/proxy/tiny/gemini/v1/models/gemma2:9b",
        "/proxy/tiny/gemini/v1beta/models/gemma2%3A9b",
        "/genai/v1beta/models/gemma2:9b",
        "/v1beta/models/gemma2:9b",
        "/v1beta/models/gemini-2.5-flash",
    ],
)
async def test_generate_by_curl(chat_only: ProxyProcess, target: str) -> None:
    made = await generate(chat_only, HI, target)
    assert text_of(made) == REPLY
    assert made["candidates"][0]["finishReason"] == "STOP"
    assert made["usageMetadata"]["totalTokenCount"] == 27


async def test_a_stream_without_alt_is_an_array(chat_only: ProxyProcess) -> None:
    reply = await ask(chat_only.url, request(f"{MODEL}:streamGenerateContent", HI))
    assert reply.value("content-type") == b"application/json; charset=UTF-8"
    assert (reply.body[:1], reply.body[-1:]) == (b"[", b"]")
    assert text_of(*json.loads(reply.body)) == REPLY


@pytest.mark.parametrize(
    ("query", "accept"), [("?alt=sse", "*/*"), ("", "text/event-stream"), ("?alt=sse&x=1", "")]
)
async def test_a_stream_of_events(chat_only: ProxyProcess, query: str, accept: str) -> None:
    target = f"{MODEL}:streamGenerateContent{query}"
    reply = await ask(chat_only.url, request(target, HI, f"Accept: {accept}"))
    assert reply.value("content-type") == b"text/event-stream"
    *frames, rest = reply.body.split(b"\r\n\r\n")
    assert rest == b""
    chunks = [json.loads(frame.removeprefix(b"data: ")) for frame in frames]
    assert text_of(*chunks) == REPLY
    assert all(one["candidates"][0]["content"]["role"] == "model" for one in chunks)


@pytest.mark.parametrize(
    "system",
    [
        {"systemInstruction": {"parts": [{"text": "Be kind."}]}},
        {"system_instruction": {"parts": {"text": "Be kind."}}},
        {"systemInstruction": {"role": "user", "parts": [{"text": "Be "}, {"text": "kind."}]}},
    ],
)
async def test_a_system_instruction(chat_only: ProxyProcess, system: dict[str, Any]) -> None:
    plain = await generate(chat_only, HI)
    told = await generate(chat_only, {**HI, **system})
    assert text_of(told) == REPLY
    prompt = told["usageMetadata"]["promptTokenCount"]
    assert prompt > plain["usageMetadata"]["promptTokenCount"] + 7


@pytest.mark.parametrize(
    "body",
    [
        # Google's own REST examples write single objects, and snake_case.
        {"contents": {"parts": {"text": "hi"}}},
        {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "safetySettings": []},
        {**HI, "generationConfig": {}, "safety_settings": [{"category": 7, "threshold": 4}]},
        {**HI, "generation_config": {"topK": 40.0, "topP": 0.95, "temperature": 1}},
    ],
)
async def test_spellings_of_one_request(chat_only: ProxyProcess, body: dict[str, Any]) -> None:
    assert text_of(await generate(chat_only, body)) == REPLY


@pytest.mark.parametrize(
    "config",
    [
        {"responseMimeType": "application/json"},
        {"response_mime_type": "application/json", "response_schema": SCHEMA},
        {"responseMimeType": "application/json", "responseSchema": {**SCHEMA, "type": 6}},
        {
            "responseMimeType": "application/json",
            "responseJsonSchema": json.loads(json.dumps(SCHEMA).lower()),
        },
    ],
)
async def test_json(chat_only: ProxyProcess, config: dict[str, Any]) -> None:
    config = {**config, "temperature": 0, "maxOutputTokens": 200}
    value = json.loads(text_of(await generate(chat_only, {**HI, "generationConfig": config})))
    assert isinstance(value, dict)
    if len(config) > 3:
        assert value == {"a": "", "n": 0}


async def test_multiple_turns(chat_only: ProxyProcess) -> None:
    turns = [
        {"role": "user", "parts": [{"text": "Hello"}]},
        {"role": "model", "parts": [{"text": "Great to meet you."}]},
        {"role": "user", "parts": [{"text": "How many paws?"}]},
    ]
    assert text_of(await generate(chat_only, {"contents": turns})) == REPLY


async def test_embeddings_and_counts(chat_only: ProxyProcess) -> None:
    content = {"parts": [{"text": "one"}]}
    one = await ask(chat_only.url, request(f"{MODEL}:embedContent", {"content": content}))
    batch = {"requests": [{"model": "models/gemma2:9b", "content": content}]}
    many = await ask(chat_only.url, request(f"{MODEL}:batchEmbedContents", batch))
    count = await ask(chat_only.url, request(f"{MODEL}:countTokens", HI))
    assert len(json.loads(one.body)["embedding"]["values"]) == 512
    assert len(json.loads(many.body)["embeddings"]) == 1
    assert json.loads(count.body) == {"totalTokens": 6}
    assert count.value("x-casedesk-token-count") is None


async def test_a_deployment_may_ignore_unknown_fields(chat_only: ProxyProcess) -> None:
    target = MODEL.replace("tiny", "lenient")
    assert text_of(await generate(chat_only, {**HI, "fromTomorrow": 1}, target)) == REPLY


def refused(change: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {**HI, **change, **({"generationConfig": config} if config else {})}


JSON = {"responseMimeType": "application/json"}
TOOL = {"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}
#: (body, what the message begins with, offending paths)
REFUSALS: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "search": (
        refused({"tools": [{"googleSearch": {}}, {"codeExecution": {}}]}),
        "unsupported_gemini_feature",
        ["tools[0].googleSearch", "tools[1].codeExecution"],
    ),
    "cached content": (
        refused({"cachedContent": "cachedContents/1"}),
        "unsupported_gemini_feature",
        ["cachedContent"],
    ),
    "a file of Google's": (
        {"contents": [{"parts": [{"fileData": {"fileUri": "https://x.example/files/1"}}]}]},
        "unsupported_gemini_feature",
        ["contents[0].parts[0].fileData"],
    ),
    "speech": (
        refused({}, responseModalities=["AUDIO"]),
        "unsupported_gemini_feature",
        ["generationConfig.responseModalities[0]"],
    ),
    "a bare enum": (
        refused({}, responseMimeType="text/x.enum", responseSchema={"enum": ["a"]}),
        "unsupported_response_format",
        ["generationConfig.responseMimeType"],
    ),
    "a required name without property": (
        refused({}, **JSON, responseSchema={**SCHEMA, "required": ["a", "b"]}),
        "invalid_response_format_schema",
        ["generationConfig.responseSchema.required[1]"],
    ),
    "no type": (
        refused({}, **JSON, responseSchema={"properties": {"a": {"type": "STRING"}}}),
        "invalid_response_format_schema",
        ["generationConfig.responseSchema.type"],
    ),
    "an unknown field": (refused({"fromTomorrow": 1}), "", ["fromTomorrow"]),
    "stream in the body": (refused({"stream": True}), "", ["stream"]),
    "an unknown role": ({"contents": [{"role": "system", "parts": []}]}, "", ["contents[0].role"]),
    "nothing to say": ({"contents": []}, "", ["contents"]),
}


@pytest.mark.parametrize("action", ["generateContent", "streamGenerateContent"])
@pytest.mark.parametrize("speaks", ["openai", "anthropic"])
@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refused_request_leaves_no_trace_at_any_node(
    name: str, speaks: str, action: str
) -> None:
    body, code, paths = REFUSALS[name]
    async with relay(speaks=[speaks]) as (gateway, node):
        target = f"/proxy/d/gemini/v1beta/models/m:{action}"
        reply = await ask(gateway.url, asking((target, body)))
        assert node.connections == []
    expect_refusal(reply, code, paths)


def expect_refusal(reply: Message, code: str, paths: list[str]) -> None:
    assert reply.status == 400
    # Never in an array: google-generativeai then loses the message (measured).
    error = json.loads(reply.body)["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["message"].startswith(code)
    if code:
        assert error["details"][0]["reason"] == code.upper()
    fields = [
        one["field"] for detail in error["details"] for one in detail.get("fieldViolations", ())
    ]
    assert set(paths) <= set(fields), error


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "more",
    [
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"mcp_servers": [{"type": "url", "url": "https://x.example", "name": "x"}]},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image", "source": {"type": "file", "file_id": "file_1"}}],
                }
            ]
        },
        {"messages": []},
        {"max_tokens": "many"},
    ],
)
async def test_a_refused_message_leaves_no_trace(more: dict[str, Any], stream: bool) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    async with relay(speaks=["openai"]) as (gateway, node):
        kind = ("/proxy/d/anthropic/v1/messages", {**body, "stream": stream, **more})
        reply = await ask(gateway.url, asking(kind))
        assert node.connections == []
    assert reply.status == 400
    assert json.loads(reply.body)["error"]["type"] == "invalid_request_error"
