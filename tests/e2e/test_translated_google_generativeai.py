"""google-generativeai over REST, on a real llama-server behind a translation to OpenAI."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fixtures.proxy import ProxyProcess
from tests.fixtures.sdks import generativeai, google_errors
from tests.nodes.tiny_model import REPLY, RING

STOP, MAX_TOKENS = 1, 2


@pytest.fixture(autouse=True)
def configured(chat_only: ProxyProcess) -> None:
    options = {"api_endpoint": f"{chat_only.url}/proxy/tiny/gemini"}
    generativeai.configure(api_key="not-needed", transport="rest", client_options=options)


def model(**more: Any) -> Any:
    return generativeai.GenerativeModel("gemma2:9b", **more)


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def test_text() -> None:
    reply = model(system_instruction="Be kind.").generate_content("hi")
    assert reply.text == REPLY
    assert reply.candidates[0].finish_reason == STOP
    assert reply.usage_metadata.candidates_token_count == 21
    assert reply.usage_metadata.prompt_token_count > 6


def test_a_stream_is_an_array() -> None:
    reply = model().generate_content("hi", stream=True)
    pieces = [chunk.text for chunk in reply]
    assert "".join(pieces) == reply.text == REPLY
    assert len(pieces) > 10
    assert reply.candidates[0].finish_reason == STOP
    assert reply.usage_metadata.total_token_count == 27


def test_a_long_stream_loses_nothing() -> None:
    config = {"max_output_tokens": 500}
    reply = model().generate_content("endless", stream=True, generation_config=config)
    words = "".join(chunk.text for chunk in reply).split()
    assert words == [RING[place % len(RING)] for place in range(500)]
    assert reply.candidates[0].finish_reason == MAX_TOKENS


def test_a_chat_keeps_its_turns() -> None:
    chat = model().start_chat()
    chat.send_message("good day", stream=True).resolve()
    reply = chat.send_message("and good night")
    assert [(turn.role, turn.parts[0].text) for turn in chat.history] == [
        ("user", "good day"),
        ("model", REPLY),
        ("user", "and good night"),
        ("model", REPLY),
    ]
    assert reply.usage_metadata.prompt_token_count > 21 + 6


@pytest.mark.parametrize("stream", [False, True])
def test_a_forced_call(stream: bool) -> None:
    """The SDK sends every enumeration as a number: the types of the schema and the mode."""
    forced = {"function_calling_config": {"mode": "ANY"}}
    reply = model(tools=[get_weather]).generate_content("hi", tool_config=forced, stream=stream)
    reply.resolve()
    (part,) = [part for part in reply.parts if part.function_call]
    assert part.function_call.name == "get_weather"
    assert dict(part.function_call.args) == {"city": "Paris"}


def test_automatic_function_calling() -> None:
    chat = model(tools=[get_weather]).start_chat(enable_automatic_function_calling=True)
    assert chat.send_message("Weather?").text == REPLY
    answer = chat.history[2].parts[0].function_response
    assert (answer.name, dict(answer.response)) == (
        "get_weather",
        {"result": "sunny in Paris"},
    )


def test_a_response_schema_is_kept() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["a", "n"],
    }
    config = generativeai.GenerationConfig(
        response_mime_type="application/json", response_schema=schema, temperature=0
    )
    reply = model(generation_config=config).generate_content("hi")
    assert json.loads(reply.text) == {"a": "", "n": 0}


def test_stop_strings_and_limits() -> None:
    stopped = model().generate_content("hi", generation_config={"stop_sequences": [" tiny"]})
    limited = model().generate_content("hi", generation_config={"max_output_tokens": 3})
    assert (stopped.text, stopped.candidates[0].finish_reason) == ("Hello, this is a", STOP)
    assert (limited.text, limited.candidates[0].finish_reason) == ("Hello, this", MAX_TOKENS)


def test_embed_one_and_many() -> None:
    one = generativeai.embed_content("models/gemma2:9b", "one", task_type="retrieval_query")[
        "embedding"
    ]
    many = generativeai.embed_content("models/gemma2:9b", ["two", "one"])["embedding"]
    assert len(one) == len(many[0]) == 512
    assert many[1] == pytest.approx(one, abs=1e-5)


def test_token_counts_are_the_nodes() -> None:
    count = model(system_instruction="Be kind.").count_tokens("one two three").total_tokens
    reply = model(system_instruction="Be kind.").generate_content("one two three")
    assert count == reply.usage_metadata.prompt_token_count


@pytest.mark.parametrize("stream", [False, True])
def test_refusals(stream: bool) -> None:
    """A stream that would be an array is refused as well: the SDK does not show an error inside it
    (measured)."""
    config = {"response_mime_type": "text/x.enum", "response_schema": {"enum": ["a", "b"]}}
    with pytest.raises(google_errors.BadRequest) as caught:
        model().generate_content("hi", generation_config=config, stream=stream)
    assert "unsupported_response_format" in caught.value.message


def test_an_image_is_refused_where_the_model_cannot_see() -> None:
    picture = {"mime_type": "image/png", "data": b"\x89PNG\r\n\xff\xfe"}
    with pytest.raises(google_errors.BadRequest) as caught:
        model().generate_content(["look", picture])
    assert "does not accept images" in caught.value.message


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_are_kept_from_a_client_that_knows_none(
    chat_only: ProxyProcess, stream: bool
) -> None:
    options = {"api_endpoint": f"{chat_only.url}/proxy/thinks/gemini"}
    generativeai.configure(api_key="not-needed", transport="rest", client_options=options)
    reply = model().generate_content("hi", stream=stream)
    reply.resolve()
    assert reply.text == REPLY
    assert reply.usage_metadata.candidates_token_count == 30
