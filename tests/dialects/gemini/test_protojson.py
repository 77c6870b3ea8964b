"""What clients write and Google accepts although its reference does not allow it, and numbers that
no engine accepts."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from casedesk_proxy.dialects.pairs.gemini_openai import embed_batch
from casedesk_proxy.engines.auto import SPEC as AUTO
from casedesk_proxy.engines.openai import SPEC as OPENAI
from casedesk_proxy.engines.spec import EngineSpec
from casedesk_proxy.errors import BadRequest, ClientFault
from casedesk_proxy.terms import Action, Call, Dialect
from tests.dialects import anthropic_asking, asking
from tests.dialects.asking import HELLO, VLLM, bad, chat, context, with_config
from tests.fixtures.table import table

CAPITALS = {
    "type": "OBJECT",
    "properties": {
        "type": {"type": "STRING", "enum": ["STRING"], "default": "A"},
        "b": {"type": ["NUMBER", "NULL"]},
        "c": {"type": "ARRAY", "items": {"anyOf": [{"type": "Integer"}]}},
    },
    "$defs": {"TYPE": {"type": "BOOLEAN"}},
    "required": ["type"],
}
LOWER = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": ["STRING"], "default": "A"},
        "b": {"type": ["number", "null"]},
        "c": {"type": "array", "items": {"anyOf": [{"type": "integer"}]}},
    },
    "$defs": {"TYPE": {"type": "boolean"}},
    "required": ["type"],
}


@table("name", ["responseJsonSchema", "_responseJsonSchema"])
def test_types_in_capitals_of_a_response(name: str) -> None:
    asked = with_config(responseMimeType="application/json", **{name: CAPITALS})
    assert chat(asked)["response_format"]["json_schema"]["schema"] == LOWER


def test_types_in_capitals_of_a_function() -> None:
    declared = [{"name": "f", "parametersJsonSchema": CAPITALS}]
    asked = {**HELLO, "tools": [{"functionDeclarations": declared}]}
    assert chat(asked)["tools"][0]["function"]["parameters"] == LOWER


def test_types_in_capitals_of_an_anthropic_format() -> None:
    wanted = {"format": {"type": "json_schema", "schema": CAPITALS}}
    sent = anthropic_asking.chat(anthropic_asking.asking(output_config=wanted))
    assert sent["response_format"]["json_schema"]["schema"] == LOWER


def test_a_type_that_is_none_is_still_a_fault() -> None:
    wrong = {"type": "TUPLE"}
    asked = with_config(responseMimeType="application/json", responseJsonSchema=wrong)
    assert asking.error(asked).code == "invalid_response_format_schema"


BARE = {
    "type": "object",
    "properties": {
        "a": {"type": "object"},
        "object": {"type": "string", "default": {"type": "object"}},
    },
    "anyOf": [{"type": "object"}],
}
COMPLETE = {
    "type": "object",
    "properties": {
        "a": {"type": "object", "properties": {}},
        "object": {"type": "string", "default": {"type": "object"}},
    },
    "anyOf": [{"type": "object", "properties": {}}],
}


@table(
    ("engine", "schema", "wanted"),
    [
        (OPENAI, {"type": "object"}, {"type": "object", "properties": {}}),
        (OPENAI, BARE, COMPLETE),
        (AUTO, {"type": "object"}, {"type": "object", "properties": {}}),
        (VLLM, BARE, BARE),
    ],
)
def test_an_object_without_properties(engine: EngineSpec, schema: Any, wanted: Any) -> None:
    declared = [{"name": "f", "parametersJsonSchema": schema}]
    sent = chat({**HELLO, "tools": [{"functionDeclarations": declared}]}, engine)
    assert sent["tools"][0]["function"]["parameters"] == wanted
    tool = {"name": "f", "input_schema": schema}
    sent = anthropic_asking.chat(anthropic_asking.asking(tools=[tool]), engine)
    assert sent["tools"][0]["function"]["parameters"] == wanted


def test_a_schema_too_deep_for_a_walk_is_left_alone() -> None:
    tool = {"name": "f", "input_schema": {"type": "object", "x": json.loads("[" * 200 + "]" * 200)}}
    sent = anthropic_asking.chat(anthropic_asking.asking(tools=[tool]), OPENAI)
    assert sent["tools"][0]["function"]["parameters"] == tool["input_schema"]


@table(
    ("contents", "wanted"),
    [
        ([{"parts": [{"text": ""}]}], [("user", "")]),
        ({"parts": {"text": ""}}, [("user", "")]),
        ([{"role": "user", "parts": [{"text": ""}, {"text": ""}]}], [("user", "")]),
        (
            [{"parts": [{"text": "a"}]}, {"role": "model", "parts": [{"text": "b"}]},
             {"parts": [{"text": ""}]}],
            [("user", "a"), ("assistant", "b"), ("user", "")],
        ),
        (
            [{"parts": [{"text": "a"}]}, {"role": "model", "parts": [{"text": ""}]},
             {"parts": [{"text": "b"}]}],
            [("user", "ab")],
        ),
    ],
)  # fmt: skip
def test_a_lone_empty_text(contents: Any, wanted: list[tuple[str, str]]) -> None:
    sent = chat({"contents": contents})
    assert [(one["role"], one["content"]) for one in sent["messages"]] == wanted
    assert "continue_final_message" not in sent


@table("contents", [[], [{"parts": []}], [{"parts": [{"text": "", "thought": True}]}], [{}]])
def test_nothing_at_all_is_still_a_fault(contents: Any) -> None:
    assert bad({"contents": contents}) == ["contents"]


VERTEX = "projects/p/locations/l/publishers/google/models/m"


@table("written", ["m", "models/m", VERTEX, "publishers/google/models/m", ""])
@table("asked", ["m", "models/m"])
def test_the_model_of_an_embedding(written: str, asked: str) -> None:
    request = {"model": written, "content": {"parts": [{"text": "a"}]}}
    called = Call(Dialect.GEMINI, Action.BATCH_EMBED, "d", asked)
    embed_batch(called, {"requests": [request]}, context(VLLM))
    other = request | {"model": VERTEX + "2"}
    with pytest.raises(BadRequest, match="must be the model of the path"):
        embed_batch(called, {"requests": [other]}, context(VLLM))


TOO_LARGE = [1e20, 2**31, 2**63, 2**64, 10**30, 10**400, -1, 1e308, "1", True, [1]]


@table("field", ["top_k", "temperature", "top_p", "max_tokens"])
@table("value", TOO_LARGE)
def test_numbers_out_of_range_for_anthropic(field: str, value: Any) -> None:
    assert anthropic_asking.bad(anthropic_asking.asking(**{field: value})) == [field]


@table("value", TOO_LARGE)
def test_a_budget_out_of_range(value: Any) -> None:
    thinking = {"type": "enabled", "budget_tokens": value}
    found = anthropic_asking.bad(anthropic_asking.asking(thinking=thinking))
    assert found == ["thinking.budget_tokens"]


@table(
    "field",
    ["topK", "topP", "temperature", "maxOutputTokens", "candidateCount", "presencePenalty",
     "frequencyPenalty", "logprobs"],
)  # fmt: skip
@table("value", [1e20, 2**31, 2**63, 10**30, 1e308, -1e9, True, [1], "x", "9" * 30])
def test_numbers_out_of_range_for_gemini(field: str, value: Any) -> None:
    asked = with_config(responseLogprobs=True, **{field: value})
    assert set(bad(asked)) <= {f"generationConfig.{field}", f"generationConfig.{field}[0]"}


@table("value", [1e20, 2**63, 10**30, "9" * 30])
def test_other_numbers_out_of_range_for_gemini(value: Any) -> None:
    assert bad(with_config(seed=value)) == ["generationConfig.seed"]
    path = "generationConfig.thinkingConfig.thinkingBudget"
    assert bad(with_config(thinkingConfig={"thinkingBudget": value})) == [path]


@table("word", ["minItems", "maxItems", "minLength", "maximum"])
@table("value", [1e20, 2**63, 2**64, 10**30, 1e308, "9" * 30, "1e999"])
def test_any_number_of_a_schema_can_be_sent_or_is_a_fault(word: str, value: Any) -> None:
    inner = {"type": "ARRAY", "items": {"type": "STRING"}, word: value}
    asked = with_config(responseMimeType="application/json", responseSchema=inner)
    with contextlib.suppress(ClientFault):
        json.loads(asking.translated(asked).body)
