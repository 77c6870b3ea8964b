"""Helpers to translate an Anthropic request for an OpenAI node, and to read its reply."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.dialects.core.contract import Context, TranslatedRequest
from casedesk_proxy.dialects.pairs.anthropic_openai import translate
from casedesk_proxy.engines.registry import find_engine
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import BadRequest, ProxyError, Unsupported
from casedesk_proxy.terms import Action, Call, Dialect

VLLM, LLAMA, OLLAMA, SGLANG, TGI, OPENAI = map(
    find_engine,
    ("vllm", "llama-server", "ollama", "sglang", "tgi", "openai"),
)
LOCAL = (VLLM, LLAMA, OLLAMA, SGLANG, TGI)
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "Weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
TIME: dict[str, Any] = {"name": "get_time", "input_schema": {"type": "object"}}
MESSAGES = Call(Dialect.ANTHROPIC, Action.MESSAGES, None)


def context(engine: EngineSpec = VLLM, **changes: Any) -> Context:
    wanted = {"model": "tiny", "asked": "claude", "engine": engine, "request_id": "r1"}
    return Context(**{**wanted, **changes})


def asking(*messages: Any, **fields: Any) -> dict[str, Any]:
    """A request; a message that is given by its content alone is the user's."""
    full = [one if isinstance(one, dict) else user(one) for one in messages or ("Hello",)]
    return {"model": "claude", "max_tokens": 64, "messages": full, **fields}


def user(*content: Any) -> dict[str, Any]:
    return said("user", *content)


def assistant(*content: Any) -> dict[str, Any]:
    return said("assistant", *content)


def said(role: str, *content: Any) -> dict[str, Any]:
    if len(content) == 1 and not isinstance(content[0], dict):
        return {"role": role, "content": content[0]}
    return {"role": role, "content": list(content)}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def used(ident: str, name: str = "get_weather", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": ident, "name": name, "input": given}


def result(ident: str, *content: Any, **more: Any) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": ident, **more}
    if content:
        block["content"] = content[0] if isinstance(content[0], str) else list(content)
    return block


def image(media: str = "image/png", data: str = "aGk=") -> dict[str, Any]:
    source = {"type": "base64", "media_type": media, "data": data}
    return {"type": "image", "source": source}


def translated(
    body: dict[str, Any], engine: EngineSpec = VLLM, **changes: Any
) -> TranslatedRequest:
    return translate(MESSAGES, body, context(engine, **changes))


def chat(body: dict[str, Any], engine: EngineSpec = VLLM, **changes: Any) -> dict[str, Any]:
    """The node's request."""
    return json.loads(translated(body, engine, **changes).body)


def messages(
    body: dict[str, Any], engine: EngineSpec = VLLM, **changes: Any
) -> list[dict[str, Any]]:
    return chat(body, engine, **changes)["messages"]


def error(body: dict[str, Any], engine: EngineSpec = VLLM) -> ProxyError:
    with pytest.raises(ProxyError) as caught:
        translated(body, engine)
    assert caught.value.status == 400
    assert caught.value.violations
    for one in caught.value.violations[:5]:
        assert one.path in caught.value.message, "clients are shown the message only"
    return caught.value


def bad(body: dict[str, Any], engine: EngineSpec = VLLM) -> list[str]:
    """The paths of an error 400 in Anthropic's form."""
    found = error(body, engine)
    assert type(found) is BadRequest, found
    return [one.path for one in found.violations]


def refused(
    body: dict[str, Any], engine: EngineSpec = VLLM, code: str = "unsupported_anthropic_feature"
) -> list[str]:
    """The paths of the fields that the node does not support."""
    found = error(body, engine)
    assert isinstance(found, Unsupported), found
    assert found.code == code
    assert found.message.startswith(f"{code}: ")
    return [one.path for one in found.violations]


def events(stream: bytes) -> list[dict[str, Any]]:
    """The events of a stream. Each must have the form of Anthropic's."""
    found = []
    for frame in stream.decode().split("\n\n")[:-1]:
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    assert stream.endswith(b"\n\n") or not stream
    return found
