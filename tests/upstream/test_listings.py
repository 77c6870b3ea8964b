from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casedesk_proxy.terms import Ability, Control, ModelInfo
from casedesk_proxy.upstream import listings


def test_a_loaded_model_runs_with_the_context_it_was_loaded_with() -> None:
    tags = {"models": [{"name": "a"}, {"name": "b"}]}
    loaded = {"models": [{"name": "a", "context_length": 4096}]}
    show = {"model_info": {"general.architecture": "x", "x.context_length": 131072}}
    models = listings.ollama_models(tags, loaded, {"a": show, "b": show})
    assert [(one.context_length, one.loaded) for one in models] == [(4096, True), (None, False)]
    assert {one.trained_length for one in models} == {131072}


@pytest.mark.parametrize(
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
    (model,) = listings.ollama_models({"models": [{"name": "a"}]}, {}, shown)
    assert model.context_length == length


@pytest.mark.parametrize(
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
    (model,) = listings.ollama_models({"models": [{"name": "a"}]}, {}, shown)
    assert model.lacks == lacks


def test_a_projector_of_its_own_may_read_pictures() -> None:
    shown = {"a": {"capabilities": ["completion"], "projector_info": {"clip.has_vision": True}}}
    (model,) = listings.ollama_models({"models": [{"name": "a"}]}, {}, shown)
    assert model.lacks == {Ability.TOOLS, Ability.THINKING}


def test_gpt_oss_cannot_be_kept_from_thinking() -> None:
    tags = {"models": [{"name": "a", "details": {"families": ["gptoss"]}}]}
    (ollama,) = listings.ollama_models(tags, {}, {})
    listing = {"data": [{"id": "a"}]}
    (sglang,) = listings.sglang_models(listing, {"model_type": "gpt_oss"})
    template = "<|start|>assistant<|channel|>analysis {{ reasoning_effort }}"
    (llama,) = listings.llama_models(listing, {"chat_template": template})
    assert ollama.ignores == sglang.ignores == llama.ignores == {Control.OFF}


@pytest.mark.parametrize(
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
    (model,) = listings.llama_models({"data": [{"id": "a"}]}, {"chat_template": template})
    assert (model.lacks, model.ignores) == (lacks, ignores)


@pytest.mark.parametrize("can", [True, False, None, "no"])
def test_media_that_llama_server_and_sglang_take(can: object) -> None:
    lacks = {Ability.VISION, Ability.AUDIO} if can is False else set()
    listing = {"data": [{"id": "a"}]}
    (llama,) = listings.llama_models(listing, {"modalities": {"vision": can, "audio": can}})
    told = {"has_image_understanding": can, "has_audio_understanding": can}
    (sglang,) = listings.sglang_models(listing, told)
    assert llama.lacks == sglang.lacks == lacks


@pytest.mark.parametrize(
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
    (model,) = listings.ollama_models(tags, {}, {"a": show})
    assert model.embeds is embeds


def test_a_model_may_embed_beside_text() -> None:
    both = ["completion", "embedding"]
    (model,) = listings.ollama_models(
        {"models": [{"name": "a"}]}, {}, {"a": {"capabilities": both}}
    )
    assert (model.embeds, model.also_embeds) == (False, True)
    listing = {"models": [{"name": "a", "capabilities": both}], "data": [{"id": "a"}]}
    (model,) = listings.llama_models(listing, {})
    assert (model.embeds, model.also_embeds) == (False, True)


@pytest.mark.parametrize(
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
    assert listings.llama_embeds(status, answer) is embeds


@pytest.mark.parametrize("capabilities", [["completion", "thinking"], ["completion"], None])
def test_which_of_ollama_s_models_think(capabilities: list[str] | None) -> None:
    show = {"a": {"capabilities": capabilities}}
    (model,) = listings.ollama_models({"models": [{"name": "a"}]}, {}, show)
    assert model.thinks is ("thinking" in (capabilities or ()))


@pytest.mark.parametrize(
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
    (model,) = listings.ollama_models({"models": [{"name": "a", "modified_at": written}]}, {}, {})
    assert model.created == created


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
    assert listings.llama_models(listing, props) == (
        ModelInfo("a", 512, embeds=True, loaded=True),
        ModelInfo("b", 512, loaded=False),
        ModelInfo("c", 512),
    )


def test_sglang_with_an_embedding_model() -> None:
    (model,) = listings.sglang_models({"data": [{"id": "a"}]}, {"is_generation": False})
    assert model.embeds
    assert model.lacks == {Ability.COMPLETION}


@pytest.mark.parametrize(
    ("info", "lengths"),
    [
        ({"max_input_tokens": 100, "max_total_tokens": 150}, (100, 50)),
        ({"max_input_length": 100, "max_total_tokens": 150}, (100, 50)),
        ({"max_total_tokens": 150}, (150, None)),
        ({"max_input_tokens": 100, "max_total_tokens": 100}, (100, None)),
        ({}, (None, None)),
    ],
)
def test_tgi_s_limits(info: dict[str, Any], lengths: tuple[int | None, int | None]) -> None:
    (model,) = listings.tgi_models({"model_id": "m", **info})
    assert (model.context_length, model.output_limit) == lengths


WORDS = "models data name id capabilities details families status value context_length model_info"
KEYS = st.sampled_from([*WORDS.split(), "general.architecture", "modified_at", "model_id", "a"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)


@settings(deadline=None)
@given(JSON, JSON, st.dictionaries(KEYS, JSON, max_size=3))
def test_any_reply_gives_models(one: Any, other: Any, shown: dict[str, Any]) -> None:
    models = [
        *listings.openai_models(one),
        *listings.llama_models(one, other),
        *listings.sglang_models(one, other),
        *listings.tgi_models(one),
        *listings.ollama_models(one, other, shown),
    ]
    assert all(model.name for model in models)
    assert isinstance(listings.owner(one), str)


def test_llama_server_answers_to_each_of_its_aliases() -> None:
    listing = {"data": [{"id": "a", "aliases": ["a", "b", 3], "meta": {"n_ctx": 7}}]}
    models = listings.llama_models(listing, {})
    assert [model.name for model in models] == ["a", "b"]
    assert {model.context_length for model in models} == {7}
