"""Each step on a body."""

from __future__ import annotations

import json

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.body_changes import Draft, FieldPath
from casedesk_proxy.surfaces.parameter_steps import (
    CapAt,
    Case,
    ChangeBy,
    Default,
    Remove,
    SetTo,
    Step,
    list_paths,
    read_case,
)
from tests.fixtures.table import table

T: FieldPath = (("t",),)
U: FieldPath = (("u",),)
INNER: FieldPath = (("c",), ("t",))


def after(step: Step, raw: str) -> str:
    draft = Draft(raw.encode(), json.loads(raw))
    step.apply(draft)
    return draft.write().decode()


@table(
    ("step", "raw", "wanted"),
    [
        (SetTo(T, 1), '{"t":2}', '{"t":1}'),
        (Remove(T), '{"t":2}', "{}"),
        (Default((T,), (SetTo(T, 1),)), "{}", '{"t":1}'),
        (Default((T,), (SetTo(T, 1),)), '{"t":null}', '{"t":1}'),
        (Default((T,), (SetTo(T, 1),)), '{"t":0}', '{"t":0}'),
        (Default((U, T), (SetTo(T, 1),)), '{"u":0}', '{"u":0}'),
        (CapAt(T, 5), "{}", "{}"),
        (CapAt(T, 5), '{"t":null}', '{"t":null}'),
        (CapAt(T, 5), '{"t":5}', '{"t":5}'),
        (CapAt(T, 5), '{"t":5.5}', '{"t":5}'),
        (CapAt(T, 5), '{"t":-1}', '{"t":-1}'),
        (CapAt(T, 5), '{"t":"6"}', '{"t":5}'),
        (CapAt(T, 5), '{"t":"4"}', '{"t":"4"}'),
        (CapAt(T, 5), '{"t":"NaN"}', '{"t":5}'),
        (CapAt(T, 5), '{"t":99,"t":4}', '{"t":4,"t":4}'),
        (CapAt(T, 5, bounds=True), '{"t":-1}', '{"t":5}'),
        (CapAt(T, 5, bounds=True), "{}", "{}"),
        (CapAt(T, 5, fills=True), "{}", '{"t":5}'),
        (CapAt(INNER, 5, fills=True), '{"c":null}', '{"c":{"t":5}}'),
        (ChangeBy(T, (read_case("a", (SetTo(T, "b"),)),)), '{"t":"A"}', '{"t":"b"}'),
        (ChangeBy(T, (read_case("a", (SetTo(T, "b"),)),)), '{"t":"c"}', '{"t":"c"}'),
        (ChangeBy(T, (read_case("a", (SetTo(T, "b"),)),)), "{}", "{}"),
    ],
)
def test_step(step: Step, raw: str, wanted: str) -> None:
    assert after(step, raw) == wanted


@table("value", ["true", "[]", "{}", '"many"', '""'])
def test_a_bound_is_for_numbers(value: str) -> None:
    with pytest.raises(BadRequest) as caught:
        after(CapAt(INNER, 5), f'{{"c":{{"t":{value}}}}}')
    assert caught.value.message == "c.t: a number is required"


@table(
    ("text", "value", "fits"),
    [
        ("*", [], True),
        ("high", "HIGH", True),
        ("high", "low", False),
        ("high", 3, False),
        ("true", True, True),
        ("false", False, True),
        ("1", True, False),
        ("1", 1, True),
        ("1", "1", True),
        ("..5", 5, True),
        ("..5", 6, False),
        ("6..", 6.5, True),
        ("2..3", 1, False),
        ("a..b", "A..B", True),
    ],
)
def test_case(text: str, value: object, fits: bool) -> None:
    case: Case = read_case(text, ())
    assert case.fits(value) is fits


def test_all_fields_are_listed_that_steps_look_at_or_change() -> None:
    a, b, c, d, e, f = ((("a",),), (("b",),), (("c",),), (("d",),), (("e",),), (("f", "F"),))
    steps = (
        Remove(a),
        Default((b, c), (SetTo(d, 1),)),
        ChangeBy(e, (read_case("*", (CapAt(f, 1),)),)),
    )
    assert list(list_paths(steps)) == [a, b, c, d, e, f]
