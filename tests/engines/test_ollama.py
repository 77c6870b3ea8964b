from __future__ import annotations

from dataclasses import replace
from typing import Any

from casedesk_proxy.engines.ollama import SPEC, advise, read_models
from casedesk_proxy.engines.spec import Detected
from casedesk_proxy.terms import Ability, Control, Dialect, ModelInfo
from tests.engines.answers import look_at, play
from tests.engines.known import REFUSED
from tests.engines.streams import DONE, choice, counted
from tests.fixtures import recorded_nodes
from tests.fixtures.recorded_nodes import reply
from tests.fixtures.table import table

SHORT = ModelInfo("a", 4096, trained_length=131072)


HEARD = (recorded_nodes.OLLAMA, recorded_nodes.OLLAMA_MISSING)
SENT: dict[str, Any] = {
    "one call at a time": False,
    "top_k": None,
    "n": REFUSED,
    "effort to switch thinking off": "none",
    "tool_choice required": REFUSED,
    "tool_choice named": REFUSED,
}
MEDIA = {"image/webp", "audio/wav", "audio/x-wav", "audio/mpeg"}
STREAM = (
    choice(role="assistant", content="", reasoning="t"),
    choice(role="assistant", content="a"),
    choice(
        role="assistant",
        content="",
        tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"y":1}'}}],
    ),
    choice("tool_calls", role="assistant", content=""),
    counted(),
    DONE,
)
FAILS = (choice(role="assistant", content=""),)


def test_a_loaded_model_runs_with_the_context_it_was_loaded_with() -> None:
    tags = {"models": [{"name": "a"}, {"name": "b"}]}
    loaded = {"models": [{"name": "a", "context_length": 4096}]}
    show = {"model_info": {"general.architecture": "x", "x.context_length": 131072}}
    models = read_models(tags, loaded, {"a": show, "b": show})
    assert [(one.context_length, one.loaded) for one in models] == [(4096, True), (None, False)]
    assert {one.trained_length for one in models} == {131072}


@table(
    ("parameters", "length"),
    [
        ("temperature                    0\nnum_ctx                        16384", 16384),
        ('stop                           "num_ctx 5"\nnum_ctx 16384', 16384),
        ("num_ctx", None),
        ("num_ctx                        0", None),
        ("num_ctx " + "9" * 5000, None),
        (None, None),
        (["num_ctx 7"], None),
    ],
)
def test_a_model_that_is_not_loaded_will_run_with_its_own_parameter(
    parameters: object, length: int | None
) -> None:
    shown = {"a": {"parameters": parameters, "model_info": {}}}
    (model,) = read_models({"models": [{"name": "a"}]}, {}, shown)
    assert model.context_length == length


@table(
    ("capabilities", "lacks"),
    [
        (["completion", "tools"], {Ability.VISION, Ability.AUDIO, Ability.THINKING}),
        (["completion", "vision", "thinking"], {Ability.TOOLS, Ability.AUDIO}),
        (["embedding"], set(Ability) - {Ability.EMBEDDING}),
        (["a new one"], set(Ability) - {Ability.EMBEDDING}),
        ([], set()),
        (None, set()),
    ],
)
def test_what_ollama_s_models_lack(capabilities: object, lacks: set[Ability]) -> None:
    shown = {"a": {"capabilities": capabilities}}
    (model,) = read_models({"models": [{"name": "a"}]}, {}, shown)
    assert model.lacks == lacks


def test_a_projector_of_its_own_may_read_pictures() -> None:
    shown = {"a": {"capabilities": ["completion"], "projector_info": {"clip.has_vision": True}}}
    (model,) = read_models({"models": [{"name": "a"}]}, {}, shown)
    assert model.lacks == {Ability.TOOLS, Ability.THINKING}


@table(
    ("show", "details", "embeds"),
    [
        ({"capabilities": ["embedding"]}, {}, True),
        ({"capabilities": ["completion", "tools"]}, {"families": ["bert"]}, False),
        ({}, {"families": ["nomic-bert"]}, True),
        ({}, {"families": ["llama"]}, False),
        ({}, {"families": None}, False),
    ],
)
def test_which_of_ollama_s_models_embed(
    show: dict[str, Any], details: dict[str, Any], embeds: bool
) -> None:
    tags = {"models": [{"name": "a", "details": details}]}
    (model,) = read_models(tags, {}, {"a": show})
    assert model.embeds is embeds


@table("capabilities", [["completion", "thinking"], ["completion"], None])
def test_which_of_ollama_s_models_think(capabilities: list[str] | None) -> None:
    show = {"a": {"capabilities": capabilities}}
    (model,) = read_models({"models": [{"name": "a"}]}, {}, show)
    assert model.thinks is ("thinking" in (capabilities or ()))


@table(
    ("written", "created"),
    [
        ("2026-11-21T07:16:58.114126618Z", 1795245418),
        ("2026-11-21T08:16:58+01:00", 1795245418),
        ("yesterday", None),
        (7, None),
        ("0001-01-01T00:00:00+23:59", None),
    ],
)
def test_times(written: object, created: int | None) -> None:
    (model,) = read_models({"models": [{"name": "a", "modified_at": written}]}, {}, {})
    assert model.created == created


def test_gpt_oss_cannot_be_kept_from_thinking() -> None:
    tags = {"models": [{"name": "a", "details": {"families": ["gptoss"]}}]}
    (model,) = read_models(tags, {}, {})
    assert model.ignores == {Control.OFF}


def test_a_model_may_embed_beside_text() -> None:
    both = {"capabilities": ["completion", "embedding"]}
    (model,) = read_models({"models": [{"name": "a"}]}, {}, {"a": both})
    assert (model.embeds, model.also_embeds) == (False, True)


def test_all_models_are_shown_at_once() -> None:
    """The inquiries of one moment are made at the same time."""
    found, asked = look_at(SPEC, recorded_nodes.OLLAMA, recorded_nodes.OLLAMA_MISSING)
    assert found is not None
    assert (found.engine, found.version, len(found.models)) == (SPEC, "0.9.3", 2)
    assert [len(together) for together in asked] == [1, 1, 1, 2]
    assert {one.path for one in asked[-1]} == {"/api/show"}


def test_a_known_one_is_asked_for_what_may_have_changed() -> None:
    assert SPEC.fingerprint is not None
    assert SPEC.fingerprint.refresh is not None
    known, _ = look_at(SPEC, recorded_nodes.OLLAMA, recorded_nodes.OLLAMA_MISSING)
    assert known is not None
    fresh, asked = play(SPEC.fingerprint.refresh(known), recorded_nodes.OLLAMA)
    assert fresh == known
    assert [one.path for together in asked for one in together] == ["/api/tags", "/api/ps"]
    other = Detected(SPEC, known.models[:1], known.dialects)
    assert play(SPEC.fingerprint.refresh(other), recorded_nodes.OLLAMA)[0] is None


def test_a_model_that_runs_with_less_than_it_could() -> None:
    (told,) = advise([SHORT])
    for word in ("a runs with", "4096", "131072", "OLLAMA_CONTEXT_LENGTH=32768", "num_ctx"):
        assert word in told


def test_models_of_which_it_is_not_known_share_a_sentence() -> None:
    models = [ModelInfo(f"m{number}", trained_length=8192) for number in range(12)]
    (told,) = advise(models)
    assert "m0, m1" in told
    assert "and 2 more" in told
    assert "OLLAMA_CONTEXT_LENGTH=8192" in told


@table(
    "model",
    [
        ModelInfo("a", 32768, trained_length=131072),
        ModelInfo("a", 2048, trained_length=2048),
        ModelInfo("a", 512, trained_length=2048, embeds=True),
        ModelInfo("a", 512),
        ModelInfo("a"),
    ],
)
def test_nothing_to_say(model: ModelInfo) -> None:
    assert advise([model]) == []


@table(
    ("version", "speaks"), [("0.13.5", False), ("0.14.0-rc1", True), ("1.0", True), ("?", False)]
)
def test_newer_ones_speak_anthropic_and_responses(version: str, speaks: bool) -> None:
    replies = {**recorded_nodes.OLLAMA, "GET /api/version": reply(f'{{"version":"{version}"}}')}
    found, _ = look_at(SPEC, replies, recorded_nodes.OLLAMA_MISSING)
    assert found is not None
    assert (Dialect.ANTHROPIC in found.dialects) is speaks
    assert (Dialect.RESPONSES in found.dialects) is speaks


def test_a_model_that_was_made_anew_is_looked_at_anew() -> None:
    assert SPEC.fingerprint is not None
    assert SPEC.fingerprint.refresh is not None
    known, _ = look_at(SPEC, recorded_nodes.OLLAMA, recorded_nodes.OLLAMA_MISSING)
    assert known is not None
    older = replace(known, models=tuple(replace(one, created=1) for one in known.models))
    assert play(SPEC.fingerprint.refresh(older), recorded_nodes.OLLAMA)[0] is None
