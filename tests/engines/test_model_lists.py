from __future__ import annotations

from typing import Any

from casedesk_proxy.engines.model_lists import (
    Listing,
    first_owner,
    is_catalogue,
    read_catalogue,
)
from casedesk_proxy.terms import Dialect, ModelInfo
from tests.fixtures.table import table

GEMINI, OPENAI, ANTHROPIC = Dialect.GEMINI, Dialect.OPENAI, Dialect.ANTHROPIC


@table(
    ("dialect", "entry", "wanted"),
    [
        (OPENAI, {"id": "a", "created": 7, "owned_by": "x"},
         ModelInfo("a", created=7, owned_by="x")),
        (OPENAI, {"id": "a", "max_model_len": 4096}, ModelInfo("a", 4096)),
        (OPENAI, {"id": "a", "meta": {"n_ctx": 512}}, ModelInfo("a", 512)),
        (OPENAI, {"id": "a", "created": True, "owned_by": 1, "meta": 2}, ModelInfo("a")),
        (ANTHROPIC, {"id": "claude", "type": "model"}, ModelInfo("claude")),
        (GEMINI, {"name": "models/g", "inputTokenLimit": 9, "outputTokenLimit": 3,
                  "supportedGenerationMethods": ["generateContent"]}, ModelInfo("g", 9, 3)),
        (GEMINI, {"name": "models/e", "supportedGenerationMethods": ["embedContent"]},
         ModelInfo("e", embeds=True)),
        (GEMINI, {"name": "b", "supportedGenerationMethods": ["embedContent", "generateContent"]},
         ModelInfo("b", also_embeds=True)),
        (Dialect.OLLAMA, {"name": "c:1b", "size": 3}, ModelInfo("c:1b")),
    ],
)  # fmt: skip
def test_an_entry(dialect: Dialect, entry: dict[str, Any], wanted: ModelInfo) -> None:
    key = "models" if dialect in (GEMINI, Dialect.OLLAMA) else "data"
    assert read_catalogue(dialect, {key: [entry]}) == (wanted,)


@table("dialect", Dialect)
@table("entry", [None, 7, "a", [], {}, {"id": ""}, {"name": ""}, {"id": 7}])
def test_what_is_not_understood_is_left_out(dialect: Dialect, entry: object) -> None:
    assert read_catalogue(dialect, {"data": [entry], "models": [entry]}) == ()


@table(
    ("value", "is_one"),
    [
        ({"data": []}, True),
        ({"data": None}, True),
        ({"data": {}}, False),
        ({}, False),
        ([], False),
        (None, False),
    ],
)
def test_what_is_a_list_at_all(value: object, is_one: bool) -> None:
    """Ollama's list is null if it has no models."""
    assert is_catalogue(OPENAI, value) is is_one
    assert read_catalogue(OPENAI, value) == ()


def test_who_owns_the_first_model() -> None:
    assert first_owner({"data": [{"id": "a", "owned_by": "vllm"}, {"id": "b"}]}) == "vllm"
    assert first_owner({"data": [{"id": "a"}]}) == ""
    assert first_owner(None) == ""


def test_a_listing_is_read_once_by_each_protocol() -> None:
    listing = Listing({"data": [{"id": "a"}], "models": [{"name": "models/b"}]})
    assert read_catalogue(OPENAI, listing) is read_catalogue(OPENAI, listing)
    assert read_catalogue(OPENAI, listing) == (ModelInfo("a"),)
    assert read_catalogue(GEMINI, listing) == (ModelInfo("b"),)
    assert is_catalogue(OPENAI, listing)
