"""Facts from JSON of any shape: a value of the wrong type is as good as none."""

from __future__ import annotations

from typing import Any

from casedesk_proxy.engines.reading import (
    as_count,
    as_epoch,
    as_mapping,
    as_text,
    as_texts,
    named_entries,
    version_numbers,
)
from tests.fixtures.table import table


@table("value", [None, 7, "", [], ["x", 1], {"a": 1}, True])
def test_values_of_the_wrong_type(value: Any) -> None:
    assert as_mapping(value) == (value if isinstance(value, dict) else {})
    assert as_text(value) is None
    assert as_texts(value) == (["x"] if value == ["x", 1] else [])
    assert as_epoch(value) is None


@table(("value", "count"), [(3, 3), (0, None), (-1, None), (True, None), ("3", None), (1.5, None)])
def test_counts(value: Any, count: int | None) -> None:
    assert as_count(value) == count


@table(
    ("text", "epoch"),
    [
        ("1970-01-01T00:00:07Z", 7),
        ("1970-01-01T01:00:07+01:00", 7),
        ("0001-01-01T00:00:00Z", None),
        ("yesterday", None),
        ("9999-99-99T00:00:00Z", None),
    ],
)
def test_times(text: str, epoch: int | None) -> None:
    assert as_epoch(text) == epoch


def test_entries_have_a_name() -> None:
    listing = {"models": [{"name": "a"}, {"name": ""}, {"model": "b"}, 7, {"name": "c", "x": 1}]}
    assert list(named_entries(listing, "models", "name")) == [{"name": "a"}, {"name": "c", "x": 1}]
    assert list(named_entries(listing, "data", "name")) == []
    assert list(named_entries([], "models", "name")) == []


@table(
    ("text", "numbers"),
    [("0.14.2-rc1", (0, 14)), ("v3.1", (3, 1)), ("2", (2,)), ("", ()), ("b6123", ()),
     ("9" * 5000, ())],
)  # fmt: skip
def test_versions(text: str, numbers: tuple[int, ...]) -> None:
    assert version_numbers(text) == numbers
