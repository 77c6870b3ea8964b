"""Fields are changed alike in bytes and in the parsed value, and no other byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.body_changes import Draft, FieldPath
from tests.fixtures.effort import examples
from tests.fixtures.table import table

T: FieldPath = (("t",),)
U: FieldPath = (("u",),)
INNER: FieldPath = (("c", "C"), ("t",))
DEEP: FieldPath = (("c", "C"), ("d",), ("t",))


def changed(raw: str, *changes: tuple[FieldPath, Any] | FieldPath) -> str:
    """Put a path with a value, remove a path alone."""
    draft = Draft(raw.encode(), json.loads(raw))
    for change in changes:
        if change and isinstance(change[0], tuple) and isinstance(change[0][0], tuple):
            draft.put(*change)  # type: ignore[arg-type]
        else:
            draft.remove(change)  # type: ignore[arg-type]
    text = draft.write().decode()
    assert json.loads(text) == draft.value
    return text


@table(
    ("raw", "changes", "wanted"),
    [
        # put in
        ("{}", [(T, 1)], '{"t":1}'),
        ("{ }", [(T, 1)], '{"t":1 }'),
        ('{"a": 1}', [(T, 1)], '{"t":1,"a": 1}'),
        ('{"a": 1}', [(T, 1), (U, [2])], '{"t":1,"u":[2],"a": 1}'),
        ('{"a":1,"c": {}}', [(INNER, 1)], '{"a":1,"c": {"t":1}}'),
        ('{"a":1}', [(INNER, 1)], '{"c":{"t":1},"a":1}'),
        ('{"C": { "x" : 0 }}', [(INNER, 1)], '{"C": {"t":1, "x" : 0 }}'),
        ("{}", [(DEEP, 1), (INNER, 2)], '{"c":{"d":{"t":1},"t":2}}'),
        # changed
        ('{"t" : 2, "a":[ 1 ]}', [(T, 1)], '{"t" : 1, "a":[ 1 ]}'),
        ('{"t":1}', [(T, 1)], '{"t":1}'),
        ('{"t":1.0}', [(T, 1)], '{"t":1}'),
        ('{"t":true}', [(T, 1)], '{"t":1}'),
        ('{"t":null}', [(T, 1)], '{"t":1}'),
        ('{"c":null}', [(INNER, 1)], '{"c":{"t":1}}'),
        ('{"c":{"t":2},"C":{"t":3}}', [(INNER, 1)], '{"c":{"t":1},"C":{"t":1}}'),
        # the name of a field elsewhere
        ('{"a":"\\"t\\":","t":2}', [(T, 1)], '{"a":"\\"t\\":","t":1}'),
        ('{"a":"t","t":2}', [(T, 1)], '{"a":"t","t":1}'),
        ('{"a":{"t":5},"t":2}', [(T, 1)], '{"a":{"t":5},"t":1}'),
        ('{"a":"\\u0074","\\u0074":2}', [(T, 1)], '{"a":"\\u0074","\\u0074":1}'),
        ('{"a":"\\u0001"}', [(T, 1)], '{"t":1,"a":"\\u0001"}'),
        ('{"a":"\\u0001","c":null}', [(INNER, 1)], '{"a":"\\u0001","c":{"t":1}}'),
        # double keys
        ('{"t":2,"t":3}', [(T, 1)], '{"t":1,"t":1}'),
        ('{"t":2,"t":1}', [(T, 1)], '{"t":1,"t":1}'),
        ('{"c":{"t":2},"c":{"t":1}}', [(INNER, 1)], '{"c":{"t":1},"c":{"t":1}}'),
        ('{"c":{},"c":{"t":2}}', [(INNER, 1)], '{"c":{"t":1},"c":{"t":1}}'),
        ('{"c":5,"c":{"t":2}}', [(INNER, 1)], '{"c":{"t":1},"c":{"t":1}}'),
        ('{"c":5,"c":{"t":2,"u":1}}', [INNER], '{"c":5,"c":{"u":1}}'),
        # taken out
        ('{"t":1}', [T], "{}"),
        ('{ "t" : 1 }', [T], "{  }"),
        ('{"t":1, "a":2}', [T], '{"a":2}'),
        ('{"a":2 , "t":1 }', [T], '{"a":2 }'),
        ('{"a":2, "t":1, "b":3}', [T], '{"a":2, "b":3}'),
        ('{"t":1,"t":2,"a":3,"t":4}', [T], '{"a":3}'),
        ('{"a":1,"t":2,"u":3}', [T, U], '{"a":1}'),
        ('{"t":2,"a":1,"u":3}', [T, U], '{"a":1}'),
        ('{"t":2,"u":3}', [T, U], "{}"),
        ('{"t":null}', [T], "{}"),
        ('{"c":{"t":1},"a":0}', [INNER], '{"c":{},"a":0}'),
        ('{"c":{"d":{"t":1}}}', [DEEP], '{"c":{"d":{}}}'),
        ('{"c":5}', [INNER], '{"c":5}'),
        ('{"a":0}', [T, INNER], '{"a":0}'),
        # several of them
        ('{"t":1,"a":2}', [T, (U, 3)], '{"u":3,"a":2}'),
        ('{"t":1}', [T, (U, 3)], '{"u":3}'),
        ('{"t":1}', [T, (T, 3)], '{"t":3}'),
        ('{"a":1}', [(T, 3), T], '{"a":1}'),
        ('{"c":{"t":1}}', [(INNER, 2), ((("c",),), {"x": 1})], '{"c":{"x":1}}'),
        ('{"c":{"t":1}}', [(("c",),), (INNER, 2)], '{"c":{"t":2}}'),
        ('{"c":{"t":1,"u":2},"t":9}', [INNER, T, (DEEP, 3)], '{"c":{"d":{"t":3},"u":2}}'),
    ],
)
def test_change(raw: str, changes: list[Any], wanted: str) -> None:
    assert changed(raw, *changes) == wanted


@table("held", ["5", '"text"', "[]", "true", "0"])
def test_what_should_hold_a_field_is_no_object(held: str) -> None:
    with pytest.raises(BadRequest) as caught:
        changed(f'{{"c": {held}}}', (INNER, 1))
    assert caught.value.message == "c: an object is required"
    assert [one.path for one in caught.value.violations] == ["c"]


def test_a_body_without_changes_is_the_same_object() -> None:
    raw = b'{"t": 1}'
    draft = Draft(raw, {"t": 1})
    draft.put(T, 1)
    assert draft.write() is raw


@table("noted", [lambda draft: draft.check_double(("t",)), lambda draft: draft.put(T, 1)])
def test_a_field_that_stands_once_is_left_alone(noted: Callable[[Draft], None]) -> None:
    raw = b'{"t": 1, "a": "t"}'
    draft = Draft(raw, json.loads(raw))
    noted(draft)
    assert draft.write() == raw


def test_what_is_put_into_a_value_that_was_there_already() -> None:
    raw = rb'{"\u0063": {}}'
    draft = Draft(raw, json.loads(raw))
    draft.put((("c",),), {})
    draft.put((("c",), ("t",)), 1)
    assert json.loads(draft.write()) == draft.value == {"c": {"t": 1}}


def test_of_two_names_the_one_of_an_object_holds_what_is_put_in() -> None:
    raw = b'{"c":[],"C":{}}'
    draft = Draft(raw, json.loads(raw))
    draft.put((("c", "C"), ("t",)), 1)
    assert draft.write() == b'{"c":[],"C":{"t":1}}'


NAMES = st.sampled_from(["t", "u", "c", "C", "d", "a", "\n", "é"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["t", '"t":', "\x01", "é"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=4),
    max_leaves=5,
)
#: No path names it, so its bytes stay what they are.
UNTOUCHED = '"zz" : [ 1.50, {"t":"\\u00e9" } ]'
PATHS = st.sampled_from([T, U, INNER, DEEP, (("c",),)])
CHANGES = st.lists(st.tuples(PATHS, VALUES) | PATHS, max_size=5)


def spelled(value: Any, draw: Callable[[Any], Any]) -> str:
    """JSON with blanks, escapes and repeated keys as a hostile client may write it."""
    blank = draw(st.sampled_from(["", " ", "\n\t"]))
    if isinstance(value, dict):
        pairs = list(value.items())
        if pairs and draw(st.integers(0, 3)) == 0:
            pairs.insert(0, (draw(st.sampled_from(pairs))[0], draw(VALUES)))
        fields = [
            f"{blank}{name(key, draw)}{blank}:{blank}{spelled(inner, draw)}" for key, inner in pairs
        ]
        return "{" + ",".join(fields) + blank + "}"
    if isinstance(value, list):
        return "[" + ",".join(blank + spelled(one, draw) for one in value) + blank + "]"
    return json.dumps(value, ensure_ascii=draw(st.booleans()))


def name(key: str, draw: Callable[[Any], Any]) -> str:
    if draw(st.integers(0, 4)) == 0:
        return '"' + "".join(f"\\u{ord(one):04x}" for one in key) + '"'
    return json.dumps(key)


def naive(value: dict[str, Any], changes: list[Any]) -> dict[str, Any]:
    """The expected result, computed on a parsed body instead of bytes."""
    for change in changes:
        put = isinstance(change[0][0], tuple)
        path = change[0] if put else change
        holders: list[Any] = [value]
        for level in path[:-1]:
            inner = [
                holder[one]
                for holder in holders
                if isinstance(holder, dict)
                for one in level
                if holder.get(one) is not None
            ]
            if not inner and put:
                holder = next((one for one in holders if isinstance(one, dict)), None)
                if holder is None:
                    raise BadRequest("no object")
                inner = [holder.setdefault(level[0], {}) or {}]
                holder[level[0]] = inner[0]
            holders = inner
        holders = [one for one in holders if isinstance(one, dict)]
        key = path[-1][0]
        if put:
            if not holders:
                raise BadRequest("no object")
            having = [one for one in holders if one.get(key) is not None]
            for holder in having or holders[:1]:
                holder[key] = json.loads(json.dumps(change[1]))
        else:
            for holder in holders:
                holder.pop(key, None)
    return value


@examples(150)
@given(st.dictionaries(NAMES, VALUES, max_size=5), CHANGES, st.data())
def test_any_body_and_any_changes(
    value: dict[str, Any], changes: list[Any], data: st.DataObject
) -> None:
    raw = spelled(value, data.draw)[:-1] + ("," if value else "") + UNTOUCHED + "}"
    draft = Draft(raw.encode(), json.loads(raw))
    wanted, refused = json.loads(raw), False
    try:
        wanted = naive(wanted, changes)
    except BadRequest:
        refused = True
    try:
        for change in changes:
            if isinstance(change[0][0], tuple):
                draft.put(change[0], json.loads(json.dumps(change[1])))
            else:
                draft.remove(change)
    except BadRequest:
        assert refused
        return
    assert not refused
    text = draft.write().decode()
    assert json.loads(text) == draft.value == wanted
    assert UNTOUCHED in text
