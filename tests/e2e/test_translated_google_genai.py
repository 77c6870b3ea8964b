"""google-genai on a real llama-server behind a translation to OpenAI: its objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fixtures.proxy import ProxyProcess
from tests.fixtures.sdks import genai
from tests.nodes.tiny_model import REPLY, RING, THOUGHT

#: The SDK's own session class, made when its async client first asks.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

MODEL = "gemma2:9b"
STOP, MAX_TOKENS = "STOP", "MAX_TOKENS"
SCHEMA = {
    "type": "OBJECT",
    "properties": {"a": {"type": "STRING"}, "n": {"type": "INTEGER"}},
    "required": ["a", "n"],
}


def tools() -> list[genai.types.Tool]:
    city = genai.types.Schema(type="STRING")
    weather = genai.types.FunctionDeclaration(
        name="get_weather",
        description="The weather in a city.",
        parameters=genai.types.Schema(type="OBJECT", properties={"city": city}),
    )
    time = genai.types.FunctionDeclaration(
        name="get_time", parameters_json_schema={"type": "object"}
    )
    return [genai.types.Tool(function_declarations=[weather, time])]


def client(proxy: ProxyProcess, deployment: str = "tiny") -> genai.Client:
    options = genai.types.HttpOptions(base_url=f"{proxy.url}/proxy/{deployment}/gemini")
    return genai.Client(api_key="not-needed", vertexai=False, http_options=options)


@pytest.fixture
def ai(chat_only: ProxyProcess) -> Iterator[genai.Client]:
    with client(chat_only) as made:
        yield made


@pytest.fixture
def thinker(chat_only: ProxyProcess) -> Iterator[genai.Client]:
    with client(chat_only, "thinks") as made:
        yield made


def test_a_model_tells_that_it_embeds(ai: genai.Client) -> None:
    """The node is a real llama-server with --embeddings, whose lists do not say so."""
    told = ai.models.get(model="tiny").supported_actions
    assert told is not None
    assert {"generateContent", "embedContent", "batchEmbedContents"} <= set(told)
    assert ai.models.embed_content(model="tiny", contents="hi").embeddings


def ask(ai: genai.Client, what: Any = "hi", **config: Any) -> genai.types.GenerateContentResponse:
    return ai.models.generate_content(model=MODEL, contents=what, config=config)


def stream(ai: genai.Client, what: Any = "hi", **config: Any) -> list[Any]:
    return list(ai.models.generate_content_stream(model=MODEL, contents=what, config=config))


def json_schema() -> dict[str, Any]:
    properties = {"a": {"type": "string"}, "n": {"type": "integer"}}
    return {"type": "object", "properties": properties, "required": ["a", "n"]}


def calling(mode: str, *names: str) -> dict[str, Any]:
    chosen = {"mode": mode, **({"allowed_function_names": list(names)} if names else {})}
    return {"tool_config": {"function_calling_config": chosen}}


@pytest.mark.parametrize("model", [MODEL, "tiny", "gemini-2.5-flash", f"models/{MODEL}"])
def test_text(ai: genai.Client, model: str) -> None:
    reply = ai.models.generate_content(model=model, contents="hi")
    (candidate,) = reply.candidates
    assert reply.text == REPLY
    assert (candidate.finish_reason, candidate.index) == (STOP, 0)
    assert candidate.content.role == "model"
    assert reply.model_version
    assert reply.response_id
    usage = reply.usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count) == (6, 21)
    assert usage.total_token_count == 27


def test_a_stream_comes_in_pieces_and_ends_in_one_chunk(ai: genai.Client) -> None:
    chunks = stream(ai)
    assert "".join(chunk.text for chunk in chunks) == REPLY
    assert len(chunks) > 10
    assert [chunk.candidates[0].finish_reason for chunk in chunks[:-1]] == [None] * (
        len(chunks) - 1
    )
    assert chunks[-1].candidates[0].finish_reason == STOP
    assert chunks[-1].candidates[0].content.parts
    assert chunks[-1].usage_metadata.total_token_count == 27
    assert len({chunk.response_id for chunk in chunks}) == 1


async def test_async(chat_only: ProxyProcess) -> None:
    ai = client(chat_only).aio
    try:
        reply = await ai.models.generate_content(model=MODEL, contents="hi")
        assert reply.text == REPLY
        made = await ai.models.generate_content_stream(model=MODEL, contents="hi")
        chunks = [chunk async for chunk in made]
        assert "".join(chunk.text for chunk in chunks) == REPLY
        assert chunks[-1].candidates[0].finish_reason == STOP
    finally:
        await ai.aclose()


def test_a_long_stream_loses_nothing(ai: genai.Client) -> None:
    chunks = stream(ai, "endless", max_output_tokens=1000)
    words = "".join(chunk.text for chunk in chunks).split()
    assert words == [RING[place % len(RING)] for place in range(1000)]
    assert chunks[-1].candidates[0].finish_reason == MAX_TOKENS
    assert chunks[-1].usage_metadata.candidates_token_count == 1000


def test_a_chat_keeps_its_history(ai: genai.Client) -> None:
    chat = ai.chats.create(model=MODEL)
    first = "".join(chunk.text for chunk in chat.send_message_stream("good day"))
    second = chat.send_message("and good night")
    assert first == second.text == REPLY
    told = chat.get_history(curated=True)
    assert [one.role for one in told if one.role == "user"] == ["user", "user"]
    assert "".join(part.text for one in told if one.role == "model" for part in one.parts) == (
        REPLY + REPLY
    )
    # Both turns and the reply between them went to the node.
    assert second.usage_metadata.prompt_token_count > 21 + 6


def test_a_system_instruction_is_part_of_the_prompt(ai: genai.Client) -> None:
    plain, told = ask(ai), ask(ai, system_instruction="Be kind.")
    assert told.text == REPLY
    grown = told.usage_metadata.prompt_token_count - plain.usage_metadata.prompt_token_count
    assert grown >= 8


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    "config",
    [
        {},
        calling("AUTO"),
        calling("ANY"),
        calling("ANY", "get_weather"),
        calling("ANY", "get_weather", "get_time"),
        calling("VALIDATED"),
    ],
)
def test_a_call_comes_whole(ai: genai.Client, config: dict[str, Any], streams: bool) -> None:
    config = {**config, "tools": tools()}
    reply = stream(ai, **config)[-1] if streams else ask(ai, **config)
    (call,) = reply.function_calls
    assert (call.name, call.args) == ("get_weather", {"city": "Paris"})
    assert reply.candidates[0].finish_reason == STOP
    assert [part.text for part in reply.candidates[0].content.parts] == [None]


def test_without_tools_allowed_it_speaks(ai: genai.Client) -> None:
    assert ask(ai, tools=tools(), **calling("NONE")).text == REPLY


def test_a_tools_result_is_answered(ai: genai.Client) -> None:
    asked = genai.types.Content(role="user", parts=[genai.types.Part(text="Weather in Paris?")])
    made = ask(ai, [asked], tools=tools()).candidates[0].content
    result = genai.types.Part.from_function_response(name="get_weather", response={"sky": "clear"})
    turns = [asked, made, genai.types.Content(role="user", parts=[result])]
    reply = ask(ai, turns, tools=tools())
    assert reply.text == REPLY
    assert not reply.function_calls


def test_automatic_function_calling(ai: genai.Client) -> None:
    """The SDK calls our Python function with the model's arguments, and then sends another
    request."""
    asked: list[str] = []

    def get_weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "sunny"

    assert ask(ai, "Weather?", tools=[get_weather]).text == REPLY
    assert asked == ["Paris"]


def test_json_mode(ai: genai.Client) -> None:
    reply = ask(ai, response_mime_type="application/json", max_output_tokens=200)
    assert isinstance(json.loads(reply.text), dict)


@pytest.mark.parametrize(
    "schema",
    [
        lambda: {"response_schema": SCHEMA},
        lambda: {"response_schema": genai.types.Schema.model_validate(SCHEMA)},
        lambda: {"response_json_schema": json_schema()},
    ],
)
@pytest.mark.parametrize("streams", [False, True])
def test_a_response_schema_is_kept(
    ai: genai.Client, schema: Callable[[], dict[str, Any]], streams: bool
) -> None:
    config = {"response_mime_type": "application/json", "temperature": 0, **schema()}
    if streams:
        text = "".join(chunk.text for chunk in stream(ai, **config))
    else:
        reply = ask(ai, **config)
        text = reply.text
        assert reply.parsed == json.loads(text)
    assert json.loads(text) == {"a": "", "n": 0}


def test_a_list_at_the_root(ai: genai.Client) -> None:
    reply = ask(ai, response_mime_type="application/json", response_schema=list[int])
    assert isinstance(reply.parsed, list)


def test_thoughts_are_shown_when_asked_for(thinker: genai.Client) -> None:
    wanted = {"thinking_config": {"include_thoughts": True}}
    thought, said = ask(thinker, **wanted).candidates[0].content.parts
    assert (thought.thought, thought.text.strip()) == (True, THOUGHT)
    assert (said.thought, said.text) == (None, REPLY)
    parts = [
        part for chunk in stream(thinker, **wanted) for part in chunk.candidates[0].content.parts
    ]
    assert "".join(part.text for part in parts if part.thought).strip() == THOUGHT
    assert "".join(part.text for part in parts if not part.thought) == REPLY


def test_thoughts_are_kept_back_else(thinker: genai.Client) -> None:
    reply = ask(thinker)
    assert [part.text for part in reply.candidates[0].content.parts] == [REPLY]
    assert reply.usage_metadata.candidates_token_count == 30
    assert "".join(chunk.text for chunk in stream(thinker)) == REPLY


def test_a_thinking_budget_of_none_switches_it_off(thinker: genai.Client) -> None:
    config = {"thinking_config": {"thinking_budget": 0, "include_thoughts": True}}
    reply = ask(thinker, **config)
    assert [part.text for part in reply.candidates[0].content.parts] == [REPLY]
    assert reply.usage_metadata.candidates_token_count == 21


def test_stop_strings(ai: genai.Client) -> None:
    reply = ask(ai, stop_sequences=["nothing", " tiny"])
    assert reply.text == "Hello, this is a"
    assert reply.candidates[0].finish_reason == STOP


def test_a_limit_on_the_reply(ai: genai.Client) -> None:
    reply = ask(ai, max_output_tokens=3)
    assert reply.text == "Hello, this"
    assert reply.candidates[0].finish_reason == MAX_TOKENS
    assert reply.usage_metadata.candidates_token_count == 3


@pytest.mark.parametrize("streams", [False, True])
def test_several_candidates(ai: genai.Client, streams: bool) -> None:
    replies = stream(ai, candidate_count=2) if streams else [ask(ai, candidate_count=2)]
    texts, ends = {0: "", 1: ""}, dict[int, Any]()
    for one in (candidate for reply in replies for candidate in reply.candidates):
        texts[one.index] += "".join(part.text for part in one.content.parts)
        ends[one.index] = one.finish_reason or ends.get(one.index)
    assert texts == {0: REPLY, 1: REPLY}
    assert ends == {0: STOP, 1: STOP}
    usage = replies[-1].usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count) == (6, 42)


def test_log_probabilities(ai: genai.Client) -> None:
    reply = ask(ai, response_logprobs=True, logprobs=2, max_output_tokens=2)
    told = reply.candidates[0].logprobs_result
    assert [one.token for one in told.chosen_candidates] == ["Hello", ","]
    assert [len(one.candidates) for one in told.top_candidates] == [2, 2]
    assert reply.candidates[0].avg_logprobs == pytest.approx(0, abs=0.01)


def test_embed_one_and_many(ai: genai.Client) -> None:
    one = ai.models.embed_content(model=MODEL, contents="one").embeddings
    many = ai.models.embed_content(model=MODEL, contents=["two", "one"]).embeddings
    assert [len(vector.values) for vector in one + many] == [512] * 3
    assert many[1].values == pytest.approx(one[0].values, abs=1e-5)
    assert many[0].values != pytest.approx(one[0].values, abs=1e-5)


def test_token_counts_are_the_nodes(ai: genai.Client) -> None:
    count = ai.models.count_tokens(model=MODEL, contents="one two three")
    reply = ask(ai, "one two three", max_output_tokens=1)
    assert count.total_tokens == reply.usage_metadata.prompt_token_count


def test_an_image_is_refused_where_the_model_cannot_see(ai: genai.Client) -> None:
    picture = genai.types.Part.from_bytes(data=b"\x89PNG\r\n\xff\xfe", mime_type="image/png")
    with pytest.raises(genai.errors.ClientError) as caught:
        ask(ai, ["look", picture])
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert "does not accept images" in caught.value.message


@pytest.mark.parametrize(
    ("config", "reason", "field"),
    [
        (
            {"tools": [{"google_search": {}}]},
            "UNSUPPORTED_GEMINI_FEATURE",
            "tools[0].googleSearch",
        ),
        ({"cached_content": "cachedContents/x"}, "UNSUPPORTED_GEMINI_FEATURE", "cachedContent"),
        (
            {"response_mime_type": "text/x.enum", "response_schema": {"enum": ["a", "b"]}},
            "UNSUPPORTED_RESPONSE_FORMAT",
            "generationConfig.responseMimeType",
        ),
        (
            {
                "response_mime_type": "application/json",
                "response_schema": {**SCHEMA, "required": ["missing"]},
            },
            "INVALID_RESPONSE_FORMAT_SCHEMA",
            "generationConfig.responseSchema.required[0]",
        ),
        # llama-server follows the format or calls functions, never both.
        (
            {
                "tools": [{"function_declarations": [{"name": "get_time"}]}],
                "response_mime_type": "application/json",
            },
            "UNSUPPORTED_RESPONSE_FORMAT",
            "generationConfig.responseMimeType",
        ),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
def test_refusals_name_the_path(
    ai: genai.Client, config: dict[str, Any], reason: str, field: str, streams: bool
) -> None:
    with pytest.raises(genai.errors.ClientError) as caught:
        stream(ai, **config) if streams else ask(ai, **config)
    error = caught.value.details["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["message"].startswith(reason.lower())
    info, bad = error["details"][:2]
    assert info["reason"] == reason
    assert field in [one["field"] for one in bad["fieldViolations"]]
