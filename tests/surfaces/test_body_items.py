"""A body with far too many items is refused before it is parsed; a large one is not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.body_items import check_items
from tests.fixtures.table import table

MOST = 1000


def refused(raw: bytes, most: int = MOST) -> str:
    with pytest.raises(BadRequest) as caught:
        check_items(raw, most)
    assert (caught.value.status, caught.value.code) == (400, "too_many_items")
    assert str(most) in caught.value.message
    return caught.value.violations[0].path


@table(
    ("body", "field"),
    [
        ({"contents": [{"parts": [{"text": "a"}] * 2000}]}, "contents"),
        ({"contents": [{"parts": [{}] * 2000}]}, "contents"),
        ({"model": "m", "messages": [{"role": "user", "content": "a"}] * 2000}, "messages"),
        ({"messages": [], "tools": [{"name": "a"}] * 2000}, "tools"),
        ({"contents": [], "generationConfig": {"a": [{"b": {}}] * 2000}}, "generationConfig"),
        ({"input": ["a"] * 20_000}, "input"),
        ({"input": [0] * 20_000}, "input"),
        ({"input": [[]] * 20_000}, "input"),
        ({"messages": [{f"field{number}": 1 for number in range(20_000)}]}, "messages"),
        ([{"a": 1}] * 2000, "body"),
        # A name that was not seen before costs as much as an object.
        ({"messages": [{f"field{number}": 1 for number in range(1100)}]}, "messages"),
        ({"messages": [{f"a{number}": "a" for number in range(900)}, *(["a"] * 900)]}, "messages"),
        ({"messages": [{f'{number}"a': "a" for number in range(1100)}]}, "messages"),
        ({"messages": [{f"{number}\\": "a" for number in range(1100)}]}, "messages"),
        ({"input": ["a"] * 4100}, "input"),
        ({"input": [[]] * 1100}, "input"),
    ],
)
@table("indent", [None, 3])
def test_too_many(body: Any, field: str, indent: int | None) -> None:
    raw = json.dumps(body, indent=indent).encode()
    assert refused(raw) == field
    check_items(raw, 30 * MOST)


@table(
    "body",
    [
        {"contents": [{"parts": [{"text": "a"}] * 300}]},
        # What stands in a text is text: JSON, code, a picture.
        {"contents": [{"parts": [{"text": json.dumps([{"a": {}}] * 400)}]}]},
        {"messages": [{"content": "if (a) { b(); } else { return {} ; }\n" * 2000}]},
        {"messages": [{"content": base64.b64encode(bytes(range(256)) * 4000).decode()}]},
        {"input": [0.123456] * 9000},
        {"messages": [{"content": 'name,"title",[1,2]\n' * 900}]},
        {"messages": [{"content": json.dumps({f"field{n}": [n, "a", "b"] for n in range(900)})}]},
    ],
)
def test_large_is_not_many(body: Any) -> None:
    check_items(json.dumps(body).encode(), MOST)


def count(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, dict) + sum(map(count, inner))


@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text('ab{}[]",\\\n', max_size=8)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=6), st.dictionaries(st.text('a{}"', max_size=3), inner)
        ),
        max_leaves=60,
    )
)
def test_no_object_escapes(value: Any) -> None:
    """The objects are counted whatever texts surround them."""
    raw = json.dumps(value).encode() + b" " * 100
    objects = count(value)
    if objects > 1:
        refused(raw, objects - 1)


def test_much_too_many_are_refused_at_once() -> None:
    raw = b'{"contents":[{"parts":[' + b'{"text":"a"},' * 2_300_000 + b"{}]}]}"
    assert refused(raw, 100_000) == "contents"


@table("indent", [None, 3])
def test_a_conversation_of_thousands_of_turns_with_tools_is_taken(indent: int | None) -> None:
    used = {"file_path": "/a", "old_string": "b", "new_string": '"c": 1', "replace_all": False}
    turns: list[Any] = []
    for turn in range(4000):
        call = {"type": "tool_use", "id": f"toolu_{turn}", "name": "Edit", "input": used}
        said = [
            {"type": "thinking", "thinking": "t", "signature": "s"},
            {"type": "text", "text": "a"},
        ]
        told = [{"type": "text", "text": json.dumps({f"row{turn}": "x"})}]
        done = {"type": "tool_result", "tool_use_id": f"toolu_{turn}", "content": told}
        turns.append({"role": "assistant", "content": [*said, call]})
        turns.append({"role": "user", "content": [done]})
    check_items(json.dumps({"model": "m", "messages": turns}, indent=indent).encode(), 100_000)


def test_rows_of_a_table_are_taken() -> None:
    rows = [{"id": f"{row}", "name": "b", "place": "c", "note": None} for row in range(20_000)]
    body = {"contents": [{"parts": [{"functionResponse": {"response": {"rows": rows}}}]}]}
    check_items(json.dumps(body).encode(), 100_000)
