"""anthropic through the proxy: to a simulated Anthropic node, and to a real llama-server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from casedesk_proxy.simulator.answer import say
from casedesk_proxy.simulator.script import HEADER
from tests.e2e.conftest import FOREIGN_KEY, KEY, NODE_KEY, WIDE_KEY, Desk
from tests.fixtures.sdks import anthropic

ANSWER = say("good day")
MOUNTS = ("/proxy/desk/anthropic", "/proxy/desk/anthropic/v1", "")
ASKED: dict[str, Any] = {"max_tokens": 1000, "messages": [{"role": "user", "content": "good day"}]}


def client(base: str, key: str | None = KEY, **more: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=base, api_key=key, max_retries=0, **more)


@pytest.mark.parametrize("mount", MOUNTS)
def test_create_through_every_mount(desk: Desk, mount: str) -> None:
    with client(desk.url + mount) as ai:
        raw = ai.messages.with_raw_response.create(model="gemma2:9b", **ASKED)
    message = raw.parse()
    assert message.content[0].text == ANSWER
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (2, len(ANSWER.split()))
    assert raw.headers["request-id"]
    call = desk.last()
    assert call.target == "/v1/messages"
    assert NODE_KEY.encode() in b"".join(call.header("x-api-key") + call.header("authorization"))


@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("model", ["sim", "sim-crumbs", "sim-lumps", "my-model"])
def test_stream_helper(desk: Desk, mount: str, model: str) -> None:
    with client(desk.url + mount) as ai, ai.messages.stream(model=model, **ASKED) as stream:
        assert "".join(stream.text_stream) == ANSWER
        message = stream.get_final_message()
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens == len(ANSWER.split())


def test_raw_stream(desk: Desk) -> None:
    with client(desk.mount("anthropic")) as ai:
        events = [event.type for event in ai.messages.create(model="sim", stream=True, **ASKED)]
    assert events[:2] == ["message_start", "content_block_start"]
    assert events[-1] == "message_stop"
    assert events.count("content_block_delta") == len(ANSWER.split())


async def test_async_client(desk: Desk) -> None:
    ai = anthropic.AsyncAnthropic(base_url=desk.mount("anthropic"), api_key=KEY, max_retries=0)
    async with ai:
        message = await ai.messages.create(model="sim", **ASKED)
        assert message.content[0].text == ANSWER
        async with ai.messages.stream(model="sim", **ASKED) as stream:
            assert "".join([text async for text in stream.text_stream]) == ANSWER


def test_count_tokens(desk: Desk) -> None:
    with client(desk.mount("anthropic")) as ai:
        count = ai.messages.count_tokens(model="my-model", messages=ASKED["messages"])
    assert count.input_tokens == 2
    assert desk.last().target == "/v1/messages/count_tokens"
    assert b'"gemma2:9b"' in desk.last().body


@pytest.mark.parametrize("mount", MOUNTS)
def test_models(desk: Desk, mount: str) -> None:
    with client(desk.url + mount) as ai:
        names = [model.id for model in ai.models.list(limit=4)]
        model = ai.models.retrieve("hf.co/org/repo:Q4")
    assert {"gemma2:9b", "my-model"} <= set(names)
    assert len(names) == len(set(names)) > 20
    assert model.id == "hf.co/org/repo:Q4"


@pytest.mark.parametrize(
    "credential",
    [
        {"api_key": KEY},
        {"auth_token": KEY},
        {"api_key": "dummy", "default_headers": {"Authorization": f"Bearer {KEY}"}},
        {"auth_token": KEY, "default_headers": {"x-api-key": "dummy"}},
        {"api_key": "dummy", "default_headers": {"Authorization": None, "X-Api-Key": KEY}},
    ],
)
def test_every_credential_it_can_send(desk: Desk, credential: dict[str, Any]) -> None:
    headers = credential.get("default_headers", {})
    sent = {name: anthropic.Omit() if one is None else one for name, one in headers.items()}
    credential = {**credential, "default_headers": sent}
    with anthropic.Anthropic(base_url=desk.mount("anthropic"), max_retries=0, **credential) as ai:
        assert ai.messages.create(model="sim", **ASKED).content[0].text == ANSWER
    call = desk.last()
    assert len(call.header("x-api-key") + call.header("authorization")) == 1


def test_betas_and_unknown_fields_pass(desk: Desk) -> None:
    with client(desk.mount("anthropic")) as ai:
        ai.beta.messages.create(
            model="sim", betas=["one-2025", "two-2026"], extra_body={"odd": {"x": 1}}, **ASKED
        )
    call = desk.last()
    assert call.target.partition("?")[0] == "/v1/messages"
    assert call.header("anthropic-beta") == [b"one-2025,two-2026"]
    assert b'"odd":{"x":1}' in call.body.replace(b" ", b"")
    assert len(call.header("anthropic-version")) == 1


def create(ai: anthropic.Anthropic, model: str) -> Any:
    return ai.messages.create(model=model, **ASKED)


def stream(ai: anthropic.Anthropic, model: str) -> Any:
    with ai.messages.stream(model=model, **ASKED) as events:
        return events.get_final_message()


@pytest.mark.parametrize("call", [create, stream])
@pytest.mark.parametrize(
    ("key", "model", "wanted"),
    [
        ("wrong", "sim", "AuthenticationError"),
        (FOREIGN_KEY, "sim", "PermissionDeniedError"),
        (KEY, "nobody", "NotFoundError"),
        (KEY, "sim-error-400", "BadRequestError"),
        (KEY, "sim-error-429", "RateLimitError"),
        (KEY, "sim-error-500", "InternalServerError"),
        (KEY, "sim-error-529", "APIStatusError"),
    ],
)
def test_errors(desk: Desk, call: Callable[..., Any], key: str, model: str, wanted: str) -> None:
    with (
        client(desk.mount("anthropic"), key) as ai,
        pytest.raises(getattr(anthropic, wanted)) as caught,
    ):
        call(ai, model)
    assert caught.value.body["type"] == "error"
    assert caught.value.body["error"]["message"]
    assert caught.value.request_id


def test_the_version_is_required(desk: Desk) -> None:
    ai = client(desk.mount("anthropic"), default_headers={"anthropic-version": ""})
    with ai, pytest.raises(anthropic.BadRequestError, match="anthropic-version"):
        create(ai, "sim")
    assert desk.node.calls() == []


@pytest.mark.parametrize("model", ["sim-cut", "sim-reset", "sim-broken"])
def test_a_broken_stream_is_noticed(desk: Desk, model: str) -> None:
    with client(desk.mount("anthropic")) as ai, pytest.raises(anthropic.APIStatusError) as caught:
        stream(ai, model)
    assert caught.value.body["error"]["type"] in ("api_error", "overloaded_error")


def test_a_stream_cut_inside_an_event_is_noticed(desk: Desk) -> None:
    cut = {HEADER: "ending=cut&after_bytes=600"}
    ai = client(desk.mount("anthropic"), default_headers=cut)
    with ai, pytest.raises(Exception, match="incomplete chunked read"):
        stream(ai, "sim")


def test_a_query_on_the_path(desk: Desk) -> None:
    """Claude Code sends such a query."""
    with client(desk.mount("anthropic"), default_query={"beta": "true"}) as ai:
        assert create(ai, "sim").content[0].text == ANSWER
    assert desk.last().target == "/v1/messages?beta=true"


def test_real_node(desk: Desk) -> None:
    from tests.nodes.tiny_model import REPLY

    with client(desk.mount("anthropic", "lab"), WIDE_KEY) as ai:
        message = ai.messages.create(model="tiny", **ASKED)
        with ai.messages.stream(model="gemma2:9b", **ASKED) as made:
            assert "".join(made.text_stream) == REPLY
        count = ai.messages.count_tokens(model="tiny", messages=ASKED["messages"])
        names = {model.id for model in ai.models.list()}
    assert message.content[0].text == REPLY
    assert message.stop_reason == "end_turn"
    usage = message.usage
    assert count.input_tokens == usage.input_tokens + (usage.cache_read_input_tokens or 0)
    assert {"tiny", "gemma2:9b"} <= names


def test_real_node_with_tools_and_limits(desk: Desk) -> None:
    tool = {
        "name": "get_weather",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    with client(desk.mount("anthropic", "lab"), WIDE_KEY) as ai:
        called = ai.messages.create(model="tiny", tools=[tool], **ASKED)
        cut = ai.messages.create(model="tiny", max_tokens=5, messages=ASKED["messages"])
    assert called.stop_reason == "tool_use"
    assert called.content[-1].input == {"city": "Paris"}
    assert cut.stop_reason == "max_tokens"
