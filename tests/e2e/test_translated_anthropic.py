"""anthropic on a real llama-server behind a translation to OpenAI: its objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.proxy import ProxyProcess
from tests.fixtures.sdks import anthropic
from tests.nodes.tiny_model import REPLY, RING, THOUGHT

MODEL = "gemma2:9b"
WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
OTHER = {"name": "get_time", "input_schema": {"type": "object", "properties": {}}}
#: One pixel, as base64.
PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg"
    "=="
)


def client(proxy: ProxyProcess, deployment: str = "tiny") -> anthropic.Anthropic:
    base = f"{proxy.url}/proxy/{deployment}/anthropic"
    return anthropic.Anthropic(base_url=base, api_key="not-needed", max_retries=0)


@pytest.fixture
def ai(chat_only: ProxyProcess) -> Iterator[anthropic.Anthropic]:
    with client(chat_only) as made:
        yield made


@pytest.fixture
def thinker(chat_only: ProxyProcess) -> Iterator[anthropic.Anthropic]:
    with client(chat_only, "thinks") as made:
        yield made


def asking(what: Any = "hi", **more: Any) -> dict[str, Any]:
    turns = what if isinstance(what, list) else [{"role": "user", "content": what}]
    return {"model": MODEL, "max_tokens": 100, "messages": turns, **more}


def create(ai: anthropic.Anthropic, what: Any = "hi", **more: Any) -> anthropic.types.Message:
    return ai.messages.create(**asking(what, **more))


def stream(ai: anthropic.Anthropic, what: Any = "hi", **more: Any) -> anthropic.types.Message:
    """The message that the SDK builds from the events."""
    with ai.messages.stream(**asking(what, **more)) as events:
        return events.get_final_message()


BOTH = pytest.mark.parametrize("ask", [create, stream])


@BOTH
@pytest.mark.parametrize("model", [MODEL, "tiny", "claude-of-tomorrow"])
def test_text(ai: anthropic.Anthropic, ask: Any, model: str) -> None:
    message = ask(ai, model=model)
    assert [block.text for block in message.content] == [REPLY]
    assert (message.role, message.type) == ("assistant", "message")
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert message.id.startswith("msg_")
    usage = message.usage
    assert usage.input_tokens + (usage.cache_read_input_tokens or 0) == 6
    assert usage.output_tokens == 21


def test_the_events_of_a_stream(ai: anthropic.Anthropic) -> None:
    events = list(ai.messages.create(stream=True, **asking(max_tokens=3)))
    assert [event.type for event in events] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert "".join(event.delta.text for event in events[2:5]) == "Hello, this"
    last = events[-2]
    assert last.delta.stop_reason == "max_tokens"
    assert last.usage.input_tokens + last.usage.cache_read_input_tokens == 6
    assert last.usage.output_tokens == 3


async def test_async(chat_only: ProxyProcess) -> None:
    base = f"{chat_only.url}/proxy/tiny/anthropic"
    async with anthropic.AsyncAnthropic(base_url=base, api_key="x", max_retries=0) as ai:
        assert (await ai.messages.create(**asking())).content[0].text == REPLY
        async with ai.messages.stream(**asking()) as events:
            assert "".join([text async for text in events.text_stream]) == REPLY


def test_a_long_stream_loses_nothing(ai: anthropic.Anthropic) -> None:
    message = stream(ai, "endless", max_tokens=500)
    assert message.content[0].text.split() == [RING[at % len(RING)] for at in range(500)]
    assert message.stop_reason == "max_tokens"


@pytest.mark.parametrize(
    "system", ["Be kind.", [{"type": "text", "text": "Be "}, {"type": "text", "text": "kind."}]]
)
def test_a_system_prompt_is_part_of_the_prompt(ai: anthropic.Anthropic, system: Any) -> None:
    count = ai.messages.count_tokens
    messages = [{"role": "user", "content": "hi"}]
    plain = count(model=MODEL, messages=messages).input_tokens
    told = count(model=MODEL, messages=messages, system=system).input_tokens
    assert told - plain >= 8
    message = create(ai, system=system)
    assert message.content[0].text == REPLY
    assert message.usage.input_tokens + message.usage.cache_read_input_tokens == told


@BOTH
@pytest.mark.parametrize(
    "choice",
    [None, {"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "get_weather"}],
)
def test_a_tool_is_used(ai: anthropic.Anthropic, ask: Any, choice: Any) -> None:
    more = {"tool_choice": choice} if choice else {}
    message = ask(ai, tools=[WEATHER, OTHER], **more)
    (block,) = message.content
    assert (block.type, block.name, block.input) == ("tool_use", "get_weather", {"city": "Paris"})
    assert block.id
    assert message.stop_reason == "tool_use"


def test_no_tool_is_used_when_none_may_be(ai: anthropic.Anthropic) -> None:
    message = create(ai, tools=[WEATHER], tool_choice={"type": "none"})
    assert message.content[0].text == REPLY


@BOTH
@pytest.mark.parametrize("content", ["sunny", [{"type": "text", "text": "sunny"}], []])
def test_a_tools_result_is_answered(ai: anthropic.Anthropic, ask: Any, content: Any) -> None:
    used = ask(ai, "Weather?", tools=[WEATHER])
    result = {"type": "tool_result", "tool_use_id": used.content[0].id, "content": content}
    turns = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": [block.model_dump() for block in used.content]},
        {"role": "user", "content": [result]},
    ]
    message = ask(ai, turns, tools=[WEATHER])
    assert [block.text for block in message.content] == [REPLY]
    assert message.stop_reason == "end_turn"


@pytest.mark.parametrize("streams", [False, True])
def test_the_sdks_tool_runner(ai: anthropic.Anthropic, streams: bool) -> None:
    """The SDK first requests a thread. The refusal has the words that make it continue without
    one."""

    @anthropic.beta_tool
    def get_weather(city: str = "") -> str:
        """The weather in a city."""
        return f"sunny in {city}"

    runner = ai.beta.messages.tool_runner(**asking("Weather?"), tools=[get_weather], stream=streams)
    turns = [one.get_final_message() if streams else one for one in runner]
    assert [one.stop_reason for one in turns] == ["tool_use", "end_turn"]
    assert [block.text for block in turns[-1].content] == [REPLY]


def test_a_thread_is_refused(ai: anthropic.Anthropic) -> None:
    """The node would answer only the last turn."""
    thread = {"type": "continue", "previous_message_id": "msg_1"}
    result = {"type": "tool_result", "tool_use_id": "a", "content": "sunny"}
    turns = [{"role": "user", "content": [result]}]
    with pytest.raises(anthropic.BadRequestError, match="unsupported_anthropic_feature: thread"):
        ai.beta.messages.create(**asking(turns), thread=thread)


def test_a_schema_is_kept(ai: anthropic.Anthropic) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["a", "n"],
        "additionalProperties": False,
    }
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    message = create(ai, output_config=wanted, extra_body={"temperature": 0})
    assert json.loads(message.content[0].text) == {"a": "", "n": 0}


@BOTH
def test_thinking_comes_first(thinker: anthropic.Anthropic, ask: Any) -> None:
    budget = {"type": "enabled", "budget_tokens": 1024}
    message = ask(thinker, thinking=budget, max_tokens=2000)
    thought, said = message.content
    assert (thought.type, thought.thinking.strip()) == ("thinking", THOUGHT)
    assert isinstance(thought.signature, str)
    assert said.text == REPLY
    assert message.usage.output_tokens == 30


@BOTH
@pytest.mark.parametrize("more", [{}, {"thinking": {"type": "disabled"}}])
def test_without_thinking(thinker: anthropic.Anthropic, ask: Any, more: Any) -> None:
    message = ask(thinker, **more)
    assert [block.text for block in message.content] == [REPLY]
    assert message.usage.output_tokens == 21


@BOTH
def test_stop_strings(ai: anthropic.Anthropic, ask: Any) -> None:
    """On its chat route, llama-server does not report that a stop string ended the reply."""
    message = ask(ai, stop_sequences=[" tiny"])
    assert message.content[0].text == "Hello, this is a"
    assert message.stop_reason == "end_turn"


def test_token_counts_are_the_nodes(ai: anthropic.Anthropic) -> None:
    messages = [{"role": "user", "content": "one two three"}]
    count = ai.messages.count_tokens(model=MODEL, messages=messages, tools=[WEATHER])
    usage = create(ai, "one two three", tools=[WEATHER]).usage
    assert count.input_tokens == usage.input_tokens + usage.cache_read_input_tokens


@BOTH
@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": PICTURE},
            },
            "does not accept images",
        ),
        (
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"},
            },
            "unsupported_anthropic_feature: messages.0.content.0.source",
        ),
    ],
)
def test_what_the_node_cannot_see_is_refused(
    ai: anthropic.Anthropic, ask: Any, block: dict[str, Any], reason: str
) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask(ai, [{"role": "user", "content": [block]}])
    assert caught.value.type == "invalid_request_error"
    assert reason in caught.value.message
