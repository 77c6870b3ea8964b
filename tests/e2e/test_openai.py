"""openai through the proxy: to a simulated OpenAI node, and to a real llama-server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from casedesk_proxy.simulator.answer import embed, say
from casedesk_proxy.simulator.script import HEADER
from tests.e2e.conftest import FOREIGN_KEY, KEY, NODE_KEY, WIDE_KEY, Desk
from tests.fixtures.sdks import openai

ANSWER = say("good day")
MOUNTS = ("/proxy/desk/openai/v1", "/proxy/desk/openai", "/v1")
ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "good day"}]}


def client(base: str, key: str = KEY, **more: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=base, api_key=key, max_retries=0, **more)


def text_of(chunks: list[Any]) -> str:
    return "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)


@pytest.mark.parametrize("mount", MOUNTS)
def test_chat_through_every_mount(desk: Desk, mount: str) -> None:
    with client(desk.url + mount) as ai:
        made = ai.chat.completions.create(model="gemma2:9b", **ASKED)
    assert made.choices[0].message.content == ANSWER
    assert made.choices[0].finish_reason == "stop"
    assert made.usage.total_tokens == 2 + len(ANSWER.split())
    call = desk.last()
    assert call.target == "/v1/chat/completions"
    assert call.header("authorization") == [f"Bearer {NODE_KEY}".encode()]


@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("model", ["sim", "sim-crumbs", "sim-lumps", "my-model"])
def test_stream_through_every_mount(desk: Desk, mount: str, model: str) -> None:
    with client(desk.url + mount) as ai:
        chunks = list(
            ai.chat.completions.create(
                model=model, stream=True, stream_options={"include_usage": True}, **ASKED
            )
        )
    assert text_of(chunks) == ANSWER
    assert chunks[-1].usage.completion_tokens == len(ANSWER.split())
    assert chunks[-2].choices[0].finish_reason == "stop"


def test_stream_helper(desk: Desk) -> None:
    ai = client(desk.mount("openai"))
    with ai, ai.chat.completions.stream(model="sim", **ASKED) as stream:
        made = stream.get_final_completion()
    assert made.choices[0].message.content == ANSWER


async def test_async_client(desk: Desk) -> None:
    ai = openai.AsyncOpenAI(base_url=desk.mount("openai"), api_key=KEY, max_retries=0)
    async with ai:
        made = await ai.chat.completions.create(model="sim", **ASKED)
        assert made.choices[0].message.content == ANSWER
        stream = await ai.chat.completions.create(model="sim", stream=True, **ASKED)
        assert text_of([chunk async for chunk in stream]) == ANSWER


def test_completions(desk: Desk) -> None:
    with client(desk.mount("openai")) as ai:
        whole = ai.completions.create(model="sim", prompt="good day")
        chunks = list(ai.completions.create(model="sim", prompt="good day", stream=True))
    assert whole.choices[0].text == ANSWER
    assert "".join(chunk.choices[0].text for chunk in chunks) == ANSWER


@pytest.mark.parametrize("encoding", [None, "float", "base64"])
def test_embeddings(desk: Desk, encoding: Any) -> None:
    """Unless a client requests a format, the SDK requests base64 and decodes it."""
    more = {} if encoding is None else {"encoding_format": encoding}
    with client(desk.mount("openai")) as ai:
        made = ai.embeddings.create(model="my-model", input=["one", "two"], dimensions=4, **more)
    if encoding != "base64":
        assert [item.embedding for item in made.data] == [embed("one", 4), embed("two", 4)]
    assert [item.index for item in made.data] == [0, 1]
    assert b'"gemma2:9b"' in desk.last().body


@pytest.mark.parametrize("mount", MOUNTS)
def test_models(desk: Desk, mount: str) -> None:
    with client(desk.url + mount) as ai:
        names = [model.id for model in ai.models.list()]
        model = ai.models.retrieve("gemma2:9b")
    assert {"gemma2:9b", "my-model", "hf.co/org/repo:Q4"} <= set(names)
    assert len(names) == len(set(names))
    assert model.id == "gemma2:9b"


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (KEY, {}),
        (KEY, {"x-api-key": "dummy"}),
        ("dummy", {"Authorization": f"Bearer {KEY}"}),
        ("dummy", {"Authorization": None, "x-goog-api-key": KEY}),
        ("dummy", {"Authorization": None, "x-api-key": KEY}),
    ],
)
def test_every_credential_it_can_send(desk: Desk, key: str, headers: dict[str, Any]) -> None:
    headers = {name: openai.Omit() if one is None else one for name, one in headers.items()}
    with client(desk.mount("openai"), key) as ai:
        made = ai.chat.completions.create(model="sim", extra_headers=headers, **ASKED)
    assert made.choices[0].message.content == ANSWER
    call = desk.last()
    assert call.header("authorization") == [f"Bearer {NODE_KEY}".encode()]
    assert call.header("x-api-key") == call.header("x-goog-api-key") == []


def test_a_key_in_the_query_is_cut_out(desk: Desk) -> None:
    query = {"key": KEY, "x": "1"}
    headers = {"Authorization": openai.Omit()}
    with client(desk.mount("openai"), default_query=query) as ai:
        assert ai.chat.completions.create(model="sim", extra_headers=headers, **ASKED).id
    assert desk.last().target == "/v1/chat/completions?x=1"


def create(ai: openai.OpenAI, model: str) -> Any:
    return ai.chat.completions.create(model=model, **ASKED)


def stream(ai: openai.OpenAI, model: str) -> Any:
    return list(ai.chat.completions.create(model=model, stream=True, **ASKED))


def vectors(ai: openai.OpenAI, model: str) -> Any:
    return ai.embeddings.create(model=model, input="one")


@pytest.mark.parametrize("call", [create, stream, vectors])
@pytest.mark.parametrize(
    ("key", "model", "wanted"),
    [
        ("wrong", "sim", "AuthenticationError"),
        (FOREIGN_KEY, "sim", "PermissionDeniedError"),
        (KEY, "nobody", "NotFoundError"),
        (KEY, "sim-error-400", "BadRequestError"),
        (KEY, "sim-error-429", "RateLimitError"),
        (KEY, "sim-error-500", "InternalServerError"),
    ],
)
def test_errors(desk: Desk, call: Callable[..., Any], key: str, model: str, wanted: str) -> None:
    with client(desk.mount("openai"), key) as ai, pytest.raises(getattr(openai, wanted)) as caught:
        call(ai, model)
    assert caught.value.body["message"]
    assert caught.value.request_id


@pytest.mark.parametrize("model", ["sim-cut", "sim-reset", "sim-broken"])
def test_a_broken_stream_is_noticed(desk: Desk, model: str) -> None:
    with client(desk.mount("openai")) as ai, pytest.raises(openai.APIError, match=r"broke|closed"):
        stream(ai, model)


def test_a_stream_cut_inside_an_event_is_noticed(desk: Desk) -> None:
    cut = {HEADER: "ending=cut&after_bytes=600"}
    ai = client(desk.mount("openai"), default_headers=cut)
    with ai, pytest.raises(openai.APIConnectionError):
        stream(ai, "sim")


def test_real_node(desk: Desk) -> None:
    from tests.nodes.tiny_model import REPLY

    with client(desk.mount("openai", "lab"), WIDE_KEY) as ai:
        made = ai.chat.completions.create(model="tiny", **ASKED)
        chunks = stream(ai, "gemma2:9b")
        plain = ai.completions.create(model="tiny", prompt="x", max_tokens=3)
        vector = ai.embeddings.create(model="tiny", input="one").data[0].embedding
        names = {model.id for model in ai.models.list()}
    assert made.choices[0].message.content == text_of(chunks) == REPLY
    assert made.usage.completion_tokens == 21
    assert plain.usage.completion_tokens == 3
    assert len(vector) == 512
    assert {"tiny", "gemma2:9b"} <= names


def test_real_node_streams_every_word_in_order(desk: Desk) -> None:
    from tests.nodes.tiny_model import RING

    asked = {"messages": [{"role": "user", "content": "endless"}], "max_tokens": 2000}
    with client(desk.mount("openai", "lab"), WIDE_KEY) as ai:
        chunks = list(ai.chat.completions.create(model="tiny", stream=True, **asked))
    words = text_of(chunks).split()
    assert words == [RING[number % len(RING)] for number in range(2000)]


def test_real_node_with_tools_and_schema(desk: Desk) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": schema}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    with client(desk.mount("openai", "lab"), WIDE_KEY) as ai:
        called = ai.chat.completions.create(model="tiny", tools=[tool], **ASKED)
        shaped = ai.chat.completions.create(
            model="tiny", response_format=wanted, temperature=0, **ASKED
        )
    assert called.choices[0].message.tool_calls[0].function.name == "get_weather"
    assert shaped.choices[0].message.content == '{"n":0}'
