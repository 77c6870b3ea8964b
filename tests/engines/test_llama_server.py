from __future__ import annotations

from typing import Any

from casedesk_proxy.engines.llama_server import SPEC, makes_embeddings, read_models
from casedesk_proxy.engines.spec import Detected
from casedesk_proxy.terms import Ability, Control, ModelInfo
from tests.dialects.reading import event
from tests.engines.answers import play
from tests.engines.known import REFUSED
from tests.engines.streams import DONE, choice, counted
from tests.fixtures import recorded_nodes
from tests.fixtures.recorded_nodes import reply
from tests.fixtures.table import table

HEARD = (recorded_nodes.LLAMA, recorded_nodes.LLAMA_MISSING)
SENT: dict[str, Any] = {
    "chat_template_kwargs": {"enable_thinking": False},
    "effort for a budget": None,
    "thinking_budget_tokens": 900,
    "tool_choice named": "required",
    "logprobs beside tools": REFUSED,
    "format and tools": REFUSED,
}
MEDIA = {"image/gif", "audio/wav", "audio/x-wav", "audio/mpeg", "video/mp4"}
STREAM = (
    choice(role="assistant", content=None) + choice(reasoning_content="t"),
    b":\n\n",
    choice(content="a"),
    choice(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}]),
    choice(tool_calls=[{"index": 0, "function": {"arguments": '"y":1}'}}]),
    choice("tool_calls") + counted(timings={"prompt_ms": 1.0}),
    DONE,
)
FAILS = (event(error={"code": 500, "message": "x", "type": "server_error"}),)


@table(
    ("template", "lacks", "ignores"),
    [
        ("{% if enable_thinking %}<think>{% endif %}", set(), {Control.EFFORT}),
        ("{{ message.content }}<think>\n", set(), {Control.EFFORT}),
        ("[THINK]", set(), {Control.EFFORT}),
        ("{{ message.content }}", {Ability.THINKING}, {Control.EFFORT}),
        ("", set(), set()),
        (7, set(), set()),
    ],
)
def test_what_llama_server_s_template_tells(
    template: object, lacks: set[Ability], ignores: set[Control]
) -> None:
    (model,) = read_models({"data": [{"id": "a"}]}, {"chat_template": template})
    assert (model.lacks, model.ignores) == (lacks, ignores)


@table(
    ("status", "message", "embeds"),
    [
        (400, '"input" or "content" must be provided', True),
        (400, "Pooling type 'none' is not OAI compatible. Please use a different one", False),
        (501, "This server does not support embeddings. Start it with `--embeddings`", False),
        (400, "model is missing", False),
        (200, '"input"', False),
        (0, None, False),
    ],
)
def test_what_llama_server_answers_to_no_text(
    status: int, message: str | None, embeds: bool
) -> None:
    answer = {"error": {"code": status, "message": message}} if message else None
    assert makes_embeddings(status, answer) is embeds


def test_llama_server_with_several_models() -> None:
    listing = {
        "models": [{"name": "a", "capabilities": ["embedding"]}],
        "data": [
            {"id": "a", "status": {"value": "loaded"}},
            {"id": "b", "status": {"value": "unloaded"}},
            {"id": "c"},
        ],
    }
    props = {"default_generation_settings": {"n_ctx": 512}}
    assert read_models(listing, props) == (
        ModelInfo("a", 512, embeds=True, loaded=True),
        ModelInfo("b", 512, loaded=False),
        ModelInfo("c", 512),
    )


def test_llama_server_answers_to_each_of_its_aliases() -> None:
    listing = {"data": [{"id": "a", "aliases": ["a", "b", 3], "meta": {"n_ctx": 7}}]}
    models = read_models(listing, {})
    assert [model.name for model in models] == ["a", "b"]
    assert {model.context_length for model in models} == {7}


@table("can", [True, False, None, "no"])
def test_media_that_it_takes(can: object) -> None:
    listing = {"data": [{"id": "a"}]}
    (model,) = read_models(listing, {"modalities": {"vision": can, "audio": can}})
    assert model.lacks == ({Ability.VISION, Ability.AUDIO} if can is False else set())


def test_gpt_oss_cannot_be_kept_from_thinking() -> None:
    template = "<|start|>assistant<|channel|>analysis {{ reasoning_effort }}"
    (model,) = read_models({"data": [{"id": "a"}]}, {"chat_template": template})
    assert model.ignores == {Control.OFF}


def test_a_model_may_embed_beside_text() -> None:
    both = ["completion", "embedding"]
    listing = {"models": [{"name": "a", "capabilities": both}], "data": [{"id": "a"}]}
    (model,) = read_models(listing, {})
    assert (model.embeds, model.also_embeds) == (False, True)


@table(
    ("status", "message", "embeds", "lacks"),
    [
        ("400 Bad Request", '\\"input\\" must be provided', True, set()),
        ("501 Not Implemented", "start it with --embeddings", False, {Ability.EMBEDDING}),
        ("500 Internal Server Error", "", False, set()),
    ],
)
def test_what_only_requests_need_to_know(
    status: str, message: str, embeds: bool, lacks: set[Ability]
) -> None:
    assert SPEC.fingerprint is not None
    assert SPEC.fingerprint.complete is not None
    answer = reply(f'{{"error": {{"message": "{message}"}}}}', status)
    known = Detected(SPEC, (ModelInfo("a"),))
    found, asked = play(SPEC.fingerprint.complete(known), {"POST /v1/embeddings": answer})
    assert [one.path for together in asked for one in together] == ["/v1/embeddings"]
    (model,) = found.models
    assert (model.also_embeds, model.lacks) == (embeds, lacks)


@table("known", [Detected(SPEC), Detected(SPEC, (ModelInfo("a"),), loading=True)])
def test_who_has_no_model_yet_is_not_asked_for_more(known: Detected) -> None:
    assert SPEC.fingerprint is not None
    assert SPEC.fingerprint.complete is not None
    assert play(SPEC.fingerprint.complete(known), {}) == (known, [])
