"""The positions of values in JSON bytes: compared with a parser, for any document in any layout."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy import jsonio
from casedesk_proxy.surfaces.json_spans import elements, members, splice, value_behind
from tests.fixtures.table import table

values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.text('"\\{}[],: /', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text('ab"\\{}', max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
layouts = st.sampled_from(
    [
        {"separators": (",", ":")},
        {"indent": 1},
        {"separators": (" \t,\r\n", " \n: ")},
        {"ensure_ascii": False},
    ]
)


@given(st.dictionaries(st.text('ab"\\{}:é', max_size=4), values, max_size=5), layouts)
def test_members(document: dict[str, Any], layout: dict[str, Any]) -> None:
    raw = b" \n" + json.dumps(document, **layout).encode() + b"\t"
    found = [(jsonio.loads(key), json.loads(raw[a:b])) for key, a, b in members(raw)]
    assert found == list(document.items())


@given(st.lists(values, max_size=6), layouts)
def test_elements(document: list[Any], layout: dict[str, Any]) -> None:
    raw = json.dumps(document, **layout).encode()
    assert [json.loads(raw[a:b]) for a, b in elements(raw)] == document


def test_inside() -> None:
    raw = b'{"a": {"a": [1, {"a": 2}]}, "a": 3}'
    spans = [(a, b) for _, a, b in members(raw)]
    assert [raw[a:b] for a, b in spans] == [b'{"a": [1, {"a": 2}]}', b"3"]
    (inner,) = members(raw, spans[0][0])
    assert [raw[a:b] for a, b in elements(raw, inner[1])] == [b"1", b'{"a": 2}']


def test_value_behind() -> None:
    raw = b'{"a" \n:\t[1, "]"] ,"b":2}'
    a, b = value_behind(raw, raw.index(b'"a"'))
    assert raw[a:b] == b'[1, "]"]'


@table(
    ("changes", "wanted"),
    [
        ([], b"abcdef"),
        ([((0, 1), b"X")], b"Xbcdef"),
        ([((1, 2), b""), ((2, 4), b"YZW"), ((5, 6), b"Q")], b"aYZWeQ"),
        ([((6, 6), b"!")], b"abcdef!"),
    ],
)
def test_splice(changes: list[tuple[tuple[int, int], bytes]], wanted: bytes) -> None:
    assert splice(b"abcdef", changes) == wanted


def test_deep_and_long() -> None:
    deep = b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b',"b":"' + b'\\"' * 500_000 + b'"}'
    assert [key for key, _, _ in members(deep)] == [b'"a"', b'"b"']
