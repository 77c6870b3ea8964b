"""openai on a real llama-server, which speaks its protocol: everything is relayed unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.proxy import ProxyProcess
from tests.fixtures.sdks import openai
from tests.nodes.tiny_model import REPLY, THOUGHT

MODEL = "gemma2:9b"
HI = [{"role": "user", "content": "hi"}]
#: One pixel.
PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)


def client(proxy: ProxyProcess, deployment: str) -> openai.OpenAI:
    base = f"{proxy.url}/proxy/{deployment}/openai/v1"
    return openai.OpenAI(base_url=base, api_key="not-needed", max_retries=0)


@pytest.fixture
def ai(chat_only: ProxyProcess) -> Iterator[openai.OpenAI]:
    with client(chat_only, "tiny") as made:
        yield made


@pytest.fixture
def thinker(chat_only: ProxyProcess) -> Iterator[openai.OpenAI]:
    with client(chat_only, "thinks") as made:
        yield made


def ask(ai: openai.OpenAI, messages: Any = HI, **more: Any) -> Any:
    return ai.chat.completions.create(model=MODEL, messages=messages, **more)


def test_a_system_prompt_is_part_of_the_prompt(ai: openai.OpenAI) -> None:
    plain, told = ask(ai), ask(ai, [{"role": "system", "content": "Be kind."}, *HI])
    assert told.choices[0].message.content == REPLY
    assert told.usage.prompt_tokens > plain.usage.prompt_tokens


def test_stop_strings_and_limits(ai: openai.OpenAI) -> None:
    stopped, limited = ask(ai, stop=[" tiny"]).choices[0], ask(ai, max_tokens=3).choices[0]
    assert (stopped.message.content, stopped.finish_reason) == ("Hello, this is a", "stop")
    assert (limited.message.content, limited.finish_reason) == ("Hello, this", "length")


def test_a_forced_call_in_a_stream(ai: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    function = {"name": "get_weather", "parameters": schema}
    tools = [{"type": "function", "function": function}]
    chunks = list(ask(ai, tools=tools, tool_choice="required", stream=True))
    deltas = [one.choices[0].delta for one in chunks if one.choices]
    calls = [call for delta in deltas for call in delta.tool_calls or () if call.index == 0]
    assert calls[0].function.name == "get_weather"
    arguments = "".join(call.function.arguments or "" for call in calls)
    assert json.loads(arguments) == {"city": "Paris"}


def test_thinking_on_and_off(thinker: openai.OpenAI) -> None:
    thinks = ask(thinker).choices[0].message
    assert thinks.model_extra["reasoning_content"].strip() == THOUGHT
    off = {"chat_template_kwargs": {"enable_thinking": False}}
    plain = ask(thinker, extra_body=off)
    assert plain.choices[0].message.content == thinks.content == REPLY
    assert plain.usage.completion_tokens == 21


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings(ai: openai.OpenAI, encoding: Any) -> None:
    made = ai.embeddings.create(model=MODEL, input=["one", "two"], encoding_format=encoding)
    assert [one.index for one in made.data] == [0, 1]


def test_an_image_is_refused_where_the_model_cannot_see(ai: openai.OpenAI) -> None:
    look = [{"type": "image_url", "image_url": {"url": PICTURE}}]
    with pytest.raises(openai.APIStatusError) as caught:
        ask(ai, [{"role": "user", "content": look}])
    assert "image" in caught.value.message
