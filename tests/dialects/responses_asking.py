"""Helpers to translate a Responses request for a node that speaks chat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2

from casedesk_proxy.dialects.core.contract import Context, TranslatedRequest
from casedesk_proxy.dialects.pairs.responses_openai import translate
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import BadRequest, ProxyError, StreamBroken, Unsupported
from casedesk_proxy.terms import Action, Call, Dialect
from tests.dialects.anthropic_asking import VLLM
from tests.dialects.breaking import error_behind
from tests.fixtures.sdks import openai

WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather of a city",
    "strict": False,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
#: As Codex sends the tools of an MCP server.
MCP: dict[str, Any] = {
    "type": "namespace",
    "name": "mcp__weather",
    "description": "Tools in the mcp__weather namespace.",
    "tools": [WEATHER],
}
#: As Codex sends it with every request.
WEB_SEARCH: dict[str, Any] = {"type": "web_search", "external_web_access": False}
SHELL: dict[str, Any] = {"type": "custom", "name": "shell", "description": "Runs a script"}
#: As Codex sends it with every request.
FREEFORM: dict[str, Any] = {
    "type": "custom",
    "name": "apply_patch",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"},
}


def context(engine: EngineSpec = VLLM, **changes: Any) -> Context:
    wanted = {"model": "tiny", "asked": "gpt", "engine": engine, "request_id": "r1"}
    return Context(**{**wanted, **changes})


def asking(*items: Any, **fields: Any) -> dict[str, Any]:
    """A request; an item that is given by its text alone is the user's message."""
    made = [one if isinstance(one, dict) else said("user", one) for one in items]
    return {"model": "gpt", "input": made or "Hello", **fields}


def said(role: str, content: Any) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


def called(
    call_id: str, name: str = "get_weather", arguments: str = "{}", **more: Any
) -> dict[str, Any]:
    wanted = {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
    return wanted | more


def result(call_id: str, output: Any = "ok") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def translated(
    body: dict[str, Any], engine: EngineSpec = VLLM, **changes: Any
) -> TranslatedRequest:
    call = Call(Dialect.OPENAI, Action.CHAT, None)
    return translate(call, body, context(engine, **changes))


def chat(body: dict[str, Any], engine: EngineSpec = VLLM, **changes: Any) -> dict[str, Any]:
    """The node's request."""
    return json.loads(translated(body, engine, **changes).body)


def refused(body: dict[str, Any], engine: EngineSpec = VLLM, **changes: Any) -> ProxyError:
    try:
        translated(body, engine, **changes)
    except (BadRequest, Unsupported) as fault:
        return fault
    raise AssertionError("the request was not refused")


def places(fault: ProxyError) -> list[str]:
    return [one.path for one in fault.violations]


def read(pieces: list[bytes], **fields: Any) -> bytes | None:
    """What a client gets of a node's reply in these pieces; None if it broke off."""
    made = translated(asking(**fields)).translator
    try:
        return b"".join([made.feed(piece) for piece in pieces]) + made.finish()
    except StreamBroken:
        assert not made.complete
        return None


def events(stream: bytes) -> list[dict[str, Any]]:
    """The events, whose names and numbers are checked."""
    found = []
    for number, frame in enumerate(stream.decode().split("\n\n")[:-1]):
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event["sequence_number"] == number
        found.append(event)
    return found


class ResponsesProxy:
    """The server side of a client of the openai SDK, without a network. ``raw`` is the body of the
    last reply."""

    def __init__(self, reply: list[bytes], engine: EngineSpec = VLLM) -> None:
        self._reply = reply
        self._engine = engine
        self.asked: dict[str, Any] = {}
        self.raw = b""
        self.client = openai.OpenAI(
            api_key="none",
            base_url="http://proxy.test/v1",
            http_client=httpx2.Client(transport=httpx2.MockTransport(self._answer)),
            max_retries=0,
        )

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        made = translated(json.loads(request.content), self._engine)
        self.asked = json.loads(made.body)
        reader, self.raw = made.translator, b""

        def stream() -> Iterator[bytes]:
            try:
                for piece in self._reply:
                    yield reader.feed(piece)
                yield reader.finish()
            except StreamBroken as broken:
                yield error_behind(reader, surface=Dialect.RESPONSES, error=broken)

        def kept() -> Iterator[bytes]:
            for piece in stream():
                self.raw += piece
                yield piece

        headers = {"content-type": reader.content_type}
        return httpx2.Response(200, headers=headers, content=kept())
