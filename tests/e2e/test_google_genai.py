"""google-genai through the proxy to a node that speaks Gemini."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from casedesk_proxy.simulator.answer import embed, say
from casedesk_proxy.simulator.script import HEADER
from tests.e2e.conftest import FOREIGN_KEY, KEY, NODE_KEY, WIDE_KEY, Desk
from tests.fixtures.sdks import genai

ANSWER = say("good day")
MOUNTS = ("/proxy/desk/gemini", "/genai", "")
VERSIONS = ("v1", "v1beta")

#: The SDK's own session class, made when its async client first asks.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")


def client(base: str, key: str = KEY, version: str | None = None, **headers: str) -> genai.Client:
    options = genai.types.HttpOptions(base_url=base, api_version=version, headers=headers or None)
    return genai.Client(api_key=key, vertexai=False, http_options=options)


@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("version", [None, *VERSIONS])
def test_generate_through_every_mount(desk: Desk, mount: str, version: str | None) -> None:
    with client(desk.url + mount, version=version) as ai:
        reply = ai.models.generate_content(model="gemma2:9b", contents="good day")
    assert reply.text == ANSWER
    assert reply.usage_metadata is not None
    assert reply.usage_metadata.prompt_token_count == 2
    assert reply.usage_metadata.candidates_token_count == len(ANSWER.split())
    call = desk.last()
    assert call.target == f"/{version or 'v1'}/models/gemma2:9b:generateContent"
    assert call.header("x-goog-api-key") == [NODE_KEY.encode()]
    assert call.header("authorization") == []


@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("version", VERSIONS)
def test_stream_through_every_mount(desk: Desk, mount: str, version: str) -> None:
    with client(desk.url + mount, version=version) as ai:
        chunks = list(ai.models.generate_content_stream(model="sim-crumbs", contents="good day"))
    assert "".join(chunk.text or "" for chunk in chunks) == ANSWER
    assert len(chunks) == len(ANSWER.split())
    assert chunks[-1].candidates[0].finish_reason == genai.types.FinishReason.STOP
    assert desk.last().target == f"/{version}/models/sim-crumbs:streamGenerateContent?alt=sse"


async def test_async_client(desk: Desk) -> None:
    ai = client(desk.mount("gemini")).aio
    try:
        reply = await ai.models.generate_content(model="sim", contents="good day")
        assert reply.text == ANSWER
        stream = await ai.models.generate_content_stream(model="sim", contents="good day")
        assert "".join([chunk.text or "" async for chunk in stream]) == ANSWER
        count = await ai.models.count_tokens(model="sim", contents="one two three")
        assert count.total_tokens == 3
    finally:
        await ai.aclose()


@pytest.mark.parametrize("model", ["gemma2:9b", "models/gemma2:9b", "hf.co/org/repo:Q4"])
def test_model_names_arrive_as_they_were_meant(desk: Desk, model: str) -> None:
    with client(desk.mount("gemini")) as ai:
        reply = ai.models.generate_content(model=model, contents="good day")
    assert reply.text == ANSWER
    assert desk.last().target == f"/v1/models/{model.removeprefix('models/')}:generateContent"


@pytest.mark.parametrize(("asked", "found"), [("my-model", "gemma2:9b"), ("our-best:7b", "sim")])
def test_aliases_reach_the_node_under_its_own_name(desk: Desk, asked: str, found: str) -> None:
    with client(desk.mount("gemini")) as ai:
        reply = ai.models.generate_content(model=asked, contents="good day")
        vectors = ai.models.embed_content(model=asked, contents="one").embeddings
    assert reply.model_version == found
    assert vectors is not None
    assert desk.last().target == f"/v1/models/{found}:batchEmbedContents"
    assert f'"models/{found}"'.encode() in desk.last().body


def test_embed_one_and_many(desk: Desk) -> None:
    with client(desk.mount("gemini")) as ai:
        one = ai.models.embed_content(model="sim-embed", contents="one")
        wide = genai.types.EmbedContentConfig(output_dimensionality=40)
        many = ai.models.embed_content(model="sim-embed", contents=["one", "two"], config=wide)
    assert [vector.values for vector in one.embeddings] == [embed("one")]
    assert [vector.values for vector in many.embeddings] == [embed("one", 40), embed("two", 40)]


def test_count_tokens(desk: Desk) -> None:
    with client(desk.mount("gemini"), version="v1beta") as ai:
        assert ai.models.count_tokens(model="sim", contents="one two three").total_tokens == 3


@pytest.mark.parametrize("mount", MOUNTS)
def test_models(desk: Desk, mount: str) -> None:
    with client(desk.url + mount) as ai:
        paged = [model.name for model in ai.models.list(config={"page_size": 4})]
        model = ai.models.get(model="gemma2:9b")
    assert len(paged) == len(set(paged)) > 20
    assert {"models/gemma2:9b", "models/sim", "models/my-model"} <= set(paged)
    assert model.name == "models/gemma2:9b"
    assert model.input_token_limit == 32768
    assert desk.node.calls() == []


def test_a_prefix_is_shown_and_taken_off(desk: Desk) -> None:
    with client(desk.mount("gemini", "prefixed"), WIDE_KEY) as ai:
        names = {model.name for model in ai.models.list()}
        reply = ai.models.generate_content(model="desk-gemma2:9b", contents="good day")
    assert "models/desk-gemma2:9b" in names
    assert reply.model_version == "gemma2:9b"


def test_a_chat_keeps_its_turns(desk: Desk) -> None:
    with client(desk.mount("gemini")) as ai:
        chat = ai.chats.create(model="sim")
        for _ in chat.send_message_stream("good day"):
            pass
        chat.send_message("and good night")
        history = chat.get_history(curated=True)
    sent = json.loads(desk.last().body)["contents"]
    assert "".join(one["parts"][0]["text"] for one in sent) == f"good day{ANSWER}and good night"
    asked = [one.parts[0].text for one in history if one.role == "user"]
    assert asked == ["good day", "and good night"]


def test_goog_headers_and_body_arrive_untouched(desk: Desk) -> None:
    extra = {"x-goog-user-project": "p 1", "X-Goog-Odd": "Value"}
    with client(desk.mount("gemini"), **extra) as ai:
        ai.models.generate_content(
            model="sim",
            contents=[
                "good day",
                genai.types.Part.from_bytes(data=b"\xff\xfe", mime_type="image/png"),
            ],
            config={"temperature": 0.5, "system_instruction": "be brief"},
        )
    call = desk.last()
    assert call.header("x-goog-user-project") == [b"p 1"]
    assert call.header("x-goog-odd") == [b"Value"]
    assert call.header("x-goog-api-client")[0].startswith(b"google-genai-sdk/")
    assert call.header("accept-encoding") == [b"identity"]


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (KEY, {}),
        ("dummy", {"Authorization": f"Bearer {KEY}"}),
        (KEY, {"X-Goog-Api-Key": "another line, behind the first"}),
    ],
)
def test_every_credential_it_can_send(desk: Desk, key: str, headers: dict[str, str]) -> None:
    with client(desk.mount("gemini"), key, **headers) as ai:
        reply = ai.models.generate_content(model="sim", contents="good day")
    assert reply.text == ANSWER
    assert desk.last().header("x-goog-api-key") == [NODE_KEY.encode()]


@pytest.mark.parametrize(
    ("key", "headers"),
    [(KEY, {"Authorization": "Bearer wrong"}), ("wrong", {"X-Goog-Api-Key": KEY})],
)
def test_a_wrong_first_credential_is_not_mended_by_a_second(
    desk: Desk, key: str, headers: dict[str, str]
) -> None:
    ai = client(desk.mount("gemini"), key, **headers)
    with ai, pytest.raises(genai.errors.ClientError) as caught:
        ai.models.generate_content(model="sim", contents="good day")
    assert caught.value.code == 401
    assert desk.node.calls() == []


def test_an_open_deployment_takes_anything(desk: Desk) -> None:
    with client(desk.mount("gemini", "open"), "not-needed") as ai:
        assert ai.models.generate_content(model="sim", contents="good day").text == ANSWER
    assert desk.last().header("x-goog-api-key") == [NODE_KEY.encode()]


def test_a_key_in_the_base_url_never_reaches_the_node(desk: Desk) -> None:
    with client(f"{desk.mount('gemini', 'open')}?key=abc&x=%41&x=B") as ai:
        assert ai.models.generate_content(model="sim", contents="good day").text == ANSWER
    assert desk.last().target == "/v1/models/sim:generateContent?x=%41&x=B"


def test_vertex_paths(desk: Desk) -> None:
    options = genai.types.HttpOptions(base_url=desk.mount("gemini"))
    with genai.Client(vertexai=True, api_key=KEY, http_options=options) as ai:
        assert ai.models.generate_content(model="sim", contents="good day").text == ANSWER
    assert desk.last().target == "/v1beta/models/sim:generateContent"


def ask(ai: genai.Client, model: str) -> Any:
    return ai.models.generate_content(model=model, contents="good day")


def stream(ai: genai.Client, model: str) -> Any:
    return list(ai.models.generate_content_stream(model=model, contents="good day"))


@pytest.mark.parametrize("call", [ask, stream])
@pytest.mark.parametrize(
    ("key", "model", "code", "status"),
    [
        ("wrong", "sim", 401, "UNAUTHENTICATED"),
        (FOREIGN_KEY, "sim", 403, "PERMISSION_DENIED"),
        (KEY, "nobody", 404, "NOT_FOUND"),
        (KEY, "sim-error-400", 400, "INVALID_ARGUMENT"),
        (KEY, "sim-error-429", 429, "RESOURCE_EXHAUSTED"),
    ],
)
def test_client_errors(
    desk: Desk, call: Callable[..., Any], key: str, model: str, code: int, status: str
) -> None:
    with client(desk.mount("gemini"), key) as ai, pytest.raises(genai.errors.ClientError) as caught:
        call(ai, model)
    assert (caught.value.code, caught.value.status) == (code, status)
    assert caught.value.message


def test_refusals_say_why(desk: Desk) -> None:
    """The proxy itself answers 400, with Google's details."""
    with client(desk.mount("gemini")) as ai, pytest.raises(genai.errors.ClientError) as caught:
        ask_with = genai.types.HttpOptions(extra_body={"stream": True})
        config = genai.types.GenerateContentConfig(http_options=ask_with)
        ai.models.generate_content(model="sim", contents="x", config=config)
    assert caught.value.code == 400
    assert "streamGenerateContent" in str(caught.value.message)
    assert "fieldViolations" in str(caught.value.details)


@pytest.mark.parametrize("call", [ask, stream])
def test_server_errors(desk: Desk, call: Callable[..., Any]) -> None:
    with client(desk.mount("gemini")) as ai, pytest.raises(genai.errors.ServerError) as caught:
        call(ai, "sim-error-500")
    assert caught.value.code == 500


@pytest.mark.parametrize("model", ["sim-cut", "sim-reset", "sim-broken"])
def test_a_broken_stream_is_noticed(desk: Desk, model: str) -> None:
    with client(desk.mount("gemini")) as ai, pytest.raises(genai.errors.ServerError) as caught:
        stream(ai, model)
    assert (caught.value.code, caught.value.status) == (502, "UNAVAILABLE")


@pytest.mark.parametrize("model", ["sim-cut", "sim-reset", "sim-broken"])
async def test_a_broken_stream_is_noticed_async(desk: Desk, model: str) -> None:
    ai = client(desk.mount("gemini")).aio
    try:
        made = await ai.models.generate_content_stream(model=model, contents="good day")
        with pytest.raises(genai.errors.ServerError):
            [chunk async for chunk in made]
    finally:
        await ai.aclose()


def test_a_stream_cut_inside_an_event_is_noticed(desk: Desk) -> None:
    """No frame of the proxy can follow half a frame; the SDK notices that the message does not
    end."""
    cut = {HEADER: "ending=cut&after_bytes=600"}
    ai = client(desk.mount("gemini"), **cut)
    with ai, pytest.raises(Exception, match="incomplete chunked read"):
        stream(ai, "sim")
