"""The anthropic SDK writes the requests and reads the replies; openai's types judge the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx2
import pytest
from pydantic import TypeAdapter

from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.engines.vllm import SPEC as VLLM
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.terms import Dialect
from tests.dialects.anthropic_asking import (
    LOCAL,
    OPENAI,
    WEATHER,
    asking,
    image,
    text,
    translated,
    user,
)
from tests.dialects.breaking import error_behind
from tests.dialects.pairs.anthropic_openai.test_recorded import ANYTHING, STREAMS, wanted
from tests.dialects.pairs.anthropic_openai.test_reply import (
    CALL,
    DONE,
    HELLO,
    STOP,
    calls,
    chunk,
    fragment,
)
from tests.dialects.replies import read_reply
from tests.fixtures.sdks import anthropic, openai
from tests.fixtures.table import table


@cache
def chat_request() -> TypeAdapter[Any]:
    """A whole chat request, as the openai SDK accepts it."""
    return TypeAdapter(openai.types.chat.completion_create_params.CompletionCreateParamsStreaming)


def check_request(body: bytes) -> dict[str, Any]:
    """What the SDK would send, or an error. Its lists are lazy, so they are read to the end."""
    made = chat_request().validate_python(json.loads(body))
    return {name: _read(value) for name, value in made.items()}


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _read(one) for name, one in value.items()}
    if isinstance(value, str | int | float | None):
        return value
    return [_read(one) for one in value]


class Proxy:
    """The server side of a client of the anthropic SDK, without a network."""

    def __init__(self, reply: list[bytes], engine: EngineSpec = VLLM) -> None:
        self._reply = reply
        self._engine = engine
        self.asked: dict[str, Any] = {}
        transport = httpx2.MockTransport(self._answer)
        self.client = anthropic.Anthropic(
            api_key="none",
            base_url="http://proxy.test",
            http_client=httpx2.Client(transport=transport),
            max_retries=0,
        )

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        made = translated(json.loads(request.content), self._engine)
        self.asked = check_request(made.body)
        reader = made.translator

        def stream() -> Iterator[bytes]:
            try:
                for piece in self._reply:
                    yield reader.feed(piece)
                yield reader.finish()
            except StreamBroken as broken:
                yield error_behind(reader, surface=Dialect.ANTHROPIC, error=broken)

        headers = {"content-type": reader.content_type}
        return httpx2.Response(200, headers=headers, content=stream())

    def stream(self, **fields: Any) -> anthropic.types.Message:
        with self.client.messages.stream(**asking(**fields)) as stream:
            return stream.get_final_message()

    def create(self, **fields: Any) -> anthropic.types.Message:
        return self.client.messages.create(**asking(**fields))


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@table("name", STREAMS)
def test_recorded_replies(name: str) -> None:
    proxy = Proxy(read_reply(name).chunks)
    streamed, created = proxy.stream(**ANYTHING), proxy.create(**ANYTHING)
    blocks, reason = wanted(name)
    for message in (streamed, created):
        assert message.stop_reason == reason
        assert [_told(block) for block in message.content] == blocks
        assert message.role == "assistant"
        assert message.model == "claude"
    assert streamed.usage == created.usage
    assert streamed.id == created.id


def _told(block: Any) -> Any:
    if block.type == "tool_use":
        assert block.id
        return (block.name, block.input)
    if block.type == "thinking":
        assert block.signature
        return ("thinking", block.thinking)
    return block.text


def test_parallel_calls_stream() -> None:
    pieces = [
        calls(fragment(0, "call_aaaa", "f", '{"x":')),
        calls(fragment(1, "call_bbbb", "g", '{"y":2}')),
        calls(fragment(0, None, None, "1}")),
        calls(fragment(2, "call_cccc", "h", "")),
        *STOP,
    ]
    message = Proxy(pieces).stream()
    assert [_told(block) for block in message.content] == [
        ("f", {"x": 1}),
        ("g", {"y": 2}),
        ("h", {}),
    ]
    assert message.stop_reason == "tool_use"


def test_the_turn_can_be_sent_back() -> None:
    thought = chunk({"reasoning": "Hm."})
    proxy = Proxy([thought, chunk({"content": "Let me see."}), CALL, *STOP])
    message = proxy.stream(**ANYTHING)
    turns = [
        {"role": "user", "content": "Weather?"},
        message.to_param(),
        user({"type": "tool_result", "tool_use_id": message.content[2].id, "content": "sunny"}),
    ]
    proxy.client.messages.create(model="claude", max_tokens=64, messages=turns)
    assert proxy.asked["messages"][1]["content"] == "Let me see."
    assert proxy.asked["messages"][2] == {
        "role": "tool",
        "content": "sunny",
        "tool_call_id": "call_aaaa",
    }


@table("pieces", [HELLO, (*HELLO, DONE), (CALL,), (*HELLO, b"data: {\n\n")])
def test_a_broken_stream_is_noticed(pieces: tuple[bytes, ...]) -> None:
    with pytest.raises(anthropic.APIStatusError) as caught:
        Proxy([*pieces]).stream()
    assert caught.value.type == "api_error"


def test_events_in_the_sdks_own_order() -> None:
    with Proxy([*HELLO, *STOP]).client.messages.stream(**asking()) as stream:
        assert "".join(stream.text_stream) == "Hello"


@table("engine", [*LOCAL, OPENAI])
def test_a_request_with_everything(engine: EngineSpec) -> None:
    """The request is Claude Code's, shortened (captured)."""
    proxy = Proxy([*HELLO, *STOP], engine)
    proxy.client.beta.messages.create(
        **asking(
            user(text("<system-reminder>x</system-reminder>"), image(), text("Hi")),
            {"role": "system", "content": "Mind the gap."},
            system=[text("x-anthropic-billing-header: y"), text("Be kind.")],
            tools=[{**WEATHER, "defer_loading": True}],
            thinking={"type": "adaptive"},
            context_management={"edits": []},
            output_config={"effort": "high"},
            metadata={"user_id": "{}"},
        ),
        betas=["interleaved-thinking-2025-05-14"],
    )
    assert [one["role"] for one in proxy.asked["messages"]] == ["system", "user", "system"]


def test_the_judge_is_strict() -> None:
    body = json.loads(translated(asking()).body)
    assert check_request(json.dumps(body).encode())
    for wrong in (
        {"max_tokens": "many"},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"tool_choice": {"type": "tool"}},
        {"reasoning_effort": "huge"},
        {"stream": False},
    ):
        with pytest.raises(ValueError, match="validation error"):
            check_request(json.dumps(body | wrong).encode())
