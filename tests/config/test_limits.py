from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from casedesk_proxy.config.limits import Bound, KeyLimits, LimitDefaults
from tests.fixtures.table import table


@table(
    ("value", "bound"),
    [
        (5, Bound(5)),
        ({"soft": 3}, Bound(None, 3)),
        ({"soft": 3, "hard": 5}, Bound(5, 3)),
        ({"soft": 5, "hard": 5}, Bound(5, 5)),
        ({"soft": None, "hard": 5}, Bound(5)),
        (None, None),
    ],
)
def test_a_number_is_hard_and_both_can_be_named(value: Any, bound: Bound | None) -> None:
    assert KeyLimits.model_validate({"tokens_per_day": value}).tokens_per_day == bound


@table(
    "value", [0, -1, 10**16, True, "5", 1.5, {}, {"firm": 3}, {"soft": 6, "hard": 5}, {"soft": 0}]
)
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="tokens_per_day"):
        KeyLimits.model_validate({"tokens_per_day": value})


@table("text", ["tomorrow", "2027-13-01", "31.1.2027"])
def test_an_expiry_is_a_date(text: str) -> None:
    with pytest.raises(ValidationError, match="is not a date"):
        KeyLimits(expires=text)
    assert KeyLimits(expires="2027-01-31").expires == "2027-01-31"


@table("text", ["Mars/Olympus", "../etc/passwd", "", "Europe"])
def test_a_time_zone_is_one_that_the_machine_knows(text: str) -> None:
    with pytest.raises(ValidationError, match="time zone"):
        LimitDefaults(time_zone=text)
    assert LimitDefaults(time_zone="Europe/Berlin").time_zone == "Europe/Berlin"


def test_a_key_is_limited_as_the_defaults_say_where_it_says_nothing() -> None:
    defaults = KeyLimits.model_validate({"tokens_per_day": 10, "parallel": 2, "models": ["a"]})
    own = KeyLimits.model_validate({"tokens_per_day": None, "parallel": 4})
    merged = own.within(defaults)
    assert (merged.tokens_per_day, merged.parallel, merged.models) == (None, 4, ("a",))
    assert KeyLimits().within(defaults) == defaults


def test_a_section_goes_through_json() -> None:
    limits = KeyLimits.model_validate({"tokens_per_day": {"soft": 3}, "models": ["a"]})
    text = json.dumps(limits.model_dump(mode="json", exclude_unset=True))
    assert KeyLimits.model_validate_json(text) == limits


def test_a_bound_that_was_read_is_taken_as_it_is() -> None:
    assert KeyLimits(tokens_per_day=Bound(5)).tokens_per_day == Bound(5)
