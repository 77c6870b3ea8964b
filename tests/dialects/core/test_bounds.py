"""Each kind of item has its limit, and a refusal names its field."""

from __future__ import annotations

from typing import Any

import pytest

from casedesk_proxy.dialects.core.bounds import check_bounds
from casedesk_proxy.errors import BadRequest
from casedesk_proxy.terms import Dialect
from tests.fixtures.table import table

G, A = Dialect.GEMINI, Dialect.ANTHROPIC
MOST = 1000
PART = {"text": "a"}
BLOCK = {"type": "text", "text": "a"}


def turns(count: int) -> dict[str, Any]:
    return {"contents": [{"role": ("user", "model")[at % 2], "parts": []} for at in range(count)]}


def parts(count: int) -> dict[str, Any]:
    return {"contents": [{"parts": [PART] * (count // 2)}, {"parts": [PART] * (count // 2)}]}


def functions(count: int) -> dict[str, Any]:
    half = [{"name": "f"}] * (count // 2)
    return {"tools": [{"functionDeclarations": half}, {"function_declarations": half}]}


def schema(count: int) -> dict[str, Any]:
    return {"generationConfig": {"responseSchema": {"anyOf": [{}] * (count - 2)}}}


def messages(count: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "a"}] * count}


def blocks(count: int) -> dict[str, Any]:
    result = {"type": "tool_result", "content": [BLOCK] * (count - 1)}
    return {"messages": [{"role": "user", "content": [result]}]}


def tools(count: int) -> dict[str, Any]:
    return {"messages": [], "tools": [{"name": "f", "input_schema": {}}] * count}


def tool_schema(count: int) -> dict[str, Any]:
    return {"tools": [{"name": "f", "input_schema": {"a": [{}] * (count - 2)}}]}


def embeddings(count: int) -> dict[str, Any]:
    return {"requests": [{"content": {"parts": [PART]}}] * count}


@table(
    ("surface", "make", "limit", "field"),
    [
        (G, turns, 100, "contents"),
        (G, parts, 200, "contents"),
        (G, functions, 20, "tools"),
        (G, schema, 200, "generationConfig"),
        (G, embeddings, 100, "requests"),
        (A, messages, 100, "messages"),
        (A, blocks, 200, "messages"),
        (A, tools, 20, "tools"),
        (A, tool_schema, 200, "tools"),
    ],
)
@table("wrapped", [False, True])
def test_bounds(surface: Dialect, make: Any, limit: int, field: str, wrapped: bool) -> None:
    def body(count: int) -> dict[str, Any]:
        made = make(count)
        return {"generateContentRequest": made} if wrapped else made

    check_bounds(surface, body(limit), MOST)
    with pytest.raises(BadRequest, match=r"server\.body_items") as caught:
        check_bounds(surface, body(limit + 2), MOST)
    assert caught.value.code == "too_many_items"
    (violation,) = caught.value.violations
    assert violation.path == f"generateContentRequest.{field}" if wrapped else field
    assert str(limit) in violation.description


@table(
    "body",
    [
        {},
        {"contents": 7, "tools": "a", "generationConfig": None},
        {"contents": {"parts": {"text": "a"}}},
        {"contents": [7, {"parts": 7}, {"parts": [7, {"content": [7]}]}]},
        {"messages": [[], {"content": {"a": 1}}]},
        {"tools": [7, {"functionDeclarations": 7}], "requests": [{"content": {"parts": 7}}, 7]},
    ],
)
@table("surface", [G, A])
def test_any_body_is_counted(surface: Dialect, body: dict[str, Any]) -> None:
    check_bounds(surface, body, MOST)
