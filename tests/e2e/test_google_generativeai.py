"""google-generativeai over REST, the SDK of the CaseDesk documentation, on a Gemini node."""

from __future__ import annotations

import pytest

from casedesk_proxy.simulator.answer import embed, say
from tests.e2e.conftest import FOREIGN_KEY, KEY, NODE_KEY, Desk
from tests.fixtures.sdks import generativeai, google_errors

ANSWER = say("good day")


def configure(base: str, key: str = KEY) -> None:
    options = {"api_endpoint": base}
    generativeai.configure(api_key=key, transport="rest", client_options=options)


@pytest.mark.parametrize("mount", ["/proxy/desk/gemini", "/proxy/desk/gemini/", "/genai", ""])
def test_generate(desk: Desk, mount: str) -> None:
    configure(desk.url + mount)
    reply = generativeai.GenerativeModel("gemma2:9b").generate_content("good day")
    assert reply.text == ANSWER
    assert reply.usage_metadata.prompt_token_count == 2
    call = desk.last()
    query = "?%24alt=json%3Benum-encoding%3Dint"
    assert call.target == f"/v1beta/models/gemma2:9b:generateContent{query}"
    assert call.header("x-goog-api-key") == [NODE_KEY.encode()]
    assert call.header("x-goog-request-params") == [b"model=models/gemma2%3A9b"]


@pytest.mark.parametrize("model", ["sim", "sim-crumbs", "sim-lumps", "my-model"])
def test_stream_as_a_json_array(desk: Desk, model: str) -> None:
    configure(desk.mount("gemini"))
    reply = generativeai.GenerativeModel(model).generate_content("good day", stream=True)
    chunks = [chunk.text for chunk in reply]
    assert "".join(chunks) == reply.text == ANSWER
    assert len(chunks) == len(ANSWER.split())
    assert "alt=sse" not in desk.last().target


def test_a_chat_keeps_its_turns(desk: Desk) -> None:
    configure(desk.mount("gemini"))
    chat = generativeai.GenerativeModel("sim", system_instruction="be brief").start_chat()
    chat.send_message("good day", stream=True).resolve()
    chat.send_message("and good night")
    roles = [(content.role, content.parts[0].text) for content in chat.history]
    assert roles[:3] == [("user", "good day"), ("model", ANSWER), ("user", "and good night")]


def test_embed_one_and_many(desk: Desk) -> None:
    configure(desk.mount("gemini"))
    one = generativeai.embed_content("models/sim-embed", "one", output_dimensionality=4)
    many = generativeai.embed_content("models/sim-embed", ["one", "two"])
    assert one["embedding"] == embed("one", 4)
    assert many["embedding"] == [embed("one"), embed("two")]


def test_count_tokens(desk: Desk) -> None:
    configure(desk.mount("gemini"))
    assert generativeai.GenerativeModel("sim").count_tokens("one two three").total_tokens == 3


def test_models(desk: Desk) -> None:
    configure(desk.mount("gemini"))
    names = [model.name for model in generativeai.list_models(page_size=4)]
    assert {"models/gemma2:9b", "models/my-model"} <= set(names)
    assert len(names) == len(set(names))
    assert generativeai.get_model("models/gemma2:9b").input_token_limit == 32768


def test_an_open_deployment_takes_the_documented_dummy(desk: Desk) -> None:
    configure(desk.mount("gemini", "open"), "not-needed")
    assert generativeai.GenerativeModel("sim").generate_content("good day").text == ANSWER


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("key", "model", "wanted"),
    [
        ("wrong", "sim", "Unauthorized"),
        (FOREIGN_KEY, "sim", "Forbidden"),
        (KEY, "nobody", "NotFound"),
    ],
)
def test_errors(desk: Desk, key: str, model: str, wanted: str, stream: bool) -> None:
    configure(desk.mount("gemini"), key)
    with pytest.raises(getattr(google_errors, wanted)):
        generativeai.GenerativeModel(model).generate_content("good day", stream=stream)


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("sim-error-400", "BadRequest"),
        ("sim-error-429", "TooManyRequests"),
        ("sim-error-500", "InternalServerError"),
    ],
)
def test_errors_of_the_node(desk: Desk, model: str, wanted: str) -> None:
    """This SDK shows no details of an error of Google's form inside the array that it requests."""
    configure(desk.mount("gemini"))
    with pytest.raises(getattr(google_errors, wanted)):
        generativeai.GenerativeModel(model).generate_content("good day")
    with pytest.raises(google_errors.BadRequest, match="stream"):
        generativeai.GenerativeModel(model).generate_content("good day", stream=True)


@pytest.mark.parametrize("model", ["sim-cut", "sim-unfinished", "sim-garbage"])
def test_a_broken_stream_is_noticed(desk: Desk, model: str) -> None:
    configure(desk.mount("gemini"))
    with pytest.raises(Exception) as caught:  # noqa: PT011
        generativeai.GenerativeModel(model).generate_content("good day", stream=True).resolve()
    assert caught.type.__name__ in ("ChunkedEncodingError", "ValueError", "JSONDecodeError")
