"""A body of far too many things is refused before it is parsed; a large one is not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.items import check_items

MOST = 1000


def refused(raw: bytes, most: int = MOST) -> str:
    with pytest.raises(BadRequest) as caught:
        check_items(raw, most)
    assert (caught.value.status, caught.value.code) == (400, "too_many_items")
    assert str(most) in caught.value.message
    return caught.value.violations[0].path


@pytest.mark.parametrize(
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
        ({"input": ["a"] * 1100}, "input"),
        ({"input": [[]] * 1100}, "input"),
    ],
)
@pytest.mark.parametrize("indent", [None, 3])
def test_too_many(body: Any, field: str, indent: int | None) -> None:
    raw = json.dumps(body, indent=indent).encode()
    assert refused(raw) == field
    check_items(raw, 30 * MOST)


@pytest.mark.parametrize(
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
    """Whatever texts stand beside them."""
    raw = json.dumps(value).encode() + b" " * 100
    objects = count(value)
    if objects > 1:
        refused(raw, objects - 1)


def test_much_too_many_are_refused_at_once() -> None:
    raw = b'{"contents":[{"parts":[' + b'{"text":"a"},' * 2_300_000 + b"{}]}]}"
    assert refused(raw, 100_000) == "contents"
