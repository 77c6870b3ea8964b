"""A bound applies to a field in any letter case, as some nodes accept all of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.parameter_changes import BodyChange, change_body
from casedesk_proxy.surfaces.parameter_steps import CapAt, SetTo
from tests.fixtures.table import table

#: A field that no protocol has: of others it is `read_body` that looks.
CAP = BodyChange.of((CapAt((("most", "greatest"),), 9, True, True),))
EFFORT = BodyChange.of((SetTo((("reasoning",), ("effort",)), "low"),))
GEMINI = BodyChange.of((SetTo((("generationConfig", "generation_config"), ("temperature",)), 1),))


@table(
    ("change", "value"),
    [
        (CAP, {"Most": 99}),
        (CAP, {"most": 1, "GREATEST": 99}),
        (EFFORT, {"reasoning": {"Effort": "high"}}),
    ],
)
def test_another_case_does_not_go_past_a_rule(change: BodyChange, value: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="some nodes would take it for"):
        change_body(change, json.dumps(value).encode(), value)


@table(
    ("change", "value", "wanted"),
    [
        (CAP, {"messages": [], "X": 1}, {"most": 9, "messages": [], "X": 1}),
        (EFFORT, {"reasoning": None}, {"reasoning": {"effort": "low"}}),
        (
            GEMINI,
            {"generationConfig": {"Temperature": 2}},
            {"generationConfig": {"temperature": 1, "Temperature": 2}},
        ),
    ],
)
def test_other_fields_stay(change: BodyChange, value: dict[str, Any], wanted: Any) -> None:
    assert json.loads(change_body(change, json.dumps(value).encode(), value)) == wanted
    assert value == wanted


def test_without_steps_there_is_nothing_to_do() -> None:
    assert BodyChange.of(()) is None
