"""Helpers to translate a Gemini request for an OpenAI node."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.dialects.core.contract import Context, TranslatedRequest
from casedesk_proxy.dialects.pairs.gemini_openai import translate
from casedesk_proxy.engines.registry import find_engine
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import BadRequest, ProxyError, Unsupported
from casedesk_proxy.terms import Action, Call, Dialect, Framing
from tests.engines.known import CHATS

HELLO: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
#: One pixel.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
VLLM, LLAMA, OLLAMA, SGLANG, TGI, LOCALAI, OPENAI = map(
    find_engine,
    ("vllm", "llama-server", "ollama", "sglang", "tgi", "localai", "openai"),
)
LOCAL = tuple(one for one in CHATS if one is not OPENAI)
#: Those that can be held to a format.
FORMATTING = (VLLM, LLAMA, OLLAMA, SGLANG, TGI)


def context(engine: EngineSpec = VLLM, **changes: Any) -> Context:
    return Context(
        **{
            "model": "tiny",
            "asked": "gemma2:9b",
            "engine": engine,
            "request_id": "r1",
            **changes,
        }
    )


def call(framing: Framing = Framing.SSE, action: Action = Action.STREAM_GENERATE) -> Call:
    return Call(Dialect.GEMINI, action, None, "gemma2:9b", "v1beta", framing=framing)


def translated(
    body: dict[str, Any], engine: EngineSpec = VLLM, **changes: Any
) -> TranslatedRequest:
    return translate(call(), body, context(engine, **changes))


def chat(body: dict[str, Any], engine: EngineSpec = VLLM, **changes: Any) -> dict[str, Any]:
    """The node's request."""
    return json.loads(translated(body, engine, **changes).body)


def with_config(**config: Any) -> dict[str, Any]:
    return {**HELLO, "generationConfig": config}


def with_tools(*declarations: Any, **calling: Any) -> dict[str, Any]:
    body = {**HELLO, "tools": [{"functionDeclarations": list(declarations)}]}
    if calling:
        body["toolConfig"] = {"functionCallingConfig": calling}
    return body


def with_parts(*parts: Any, role: str = "user") -> dict[str, Any]:
    return {"contents": [{"role": role, "parts": list(parts)}]}


def error(body: dict[str, Any], engine: EngineSpec = VLLM, **changes: Any) -> ProxyError:
    with pytest.raises(ProxyError) as caught:
        translated(body, engine, **changes)
    assert caught.value.status == 400
    assert caught.value.violations
    return caught.value


def bad(body: dict[str, Any], engine: EngineSpec = VLLM, **changes: Any) -> list[str]:
    """The paths of an error 400 in Google's form."""
    found = error(body, engine, **changes)
    assert type(found) is BadRequest, found
    return [one.path for one in found.violations]


def refused(
    body: dict[str, Any], engine: EngineSpec = VLLM, code: str = "unsupported_gemini_feature"
) -> list[str]:
    """The paths of the fields that the node does not support."""
    found = error(body, engine)
    assert isinstance(found, Unsupported)
    assert found.code == code
    assert found.message.startswith(f"{code}: ")
    return [one.path for one in found.violations]
