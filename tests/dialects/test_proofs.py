"""A list of proofs fails if a test or a case is removed."""

from __future__ import annotations

import pytest

from tests.dialects.proofs import Row, check, rows_of
from tests.fixtures.table import table

CASES = {"a": 1}


def use_cases() -> dict[str, int]:
    return CASES


def test_something() -> None:
    assert use_cases()


ME = "dialects/test_proofs.py::test_something"


@table("piece", ["", "use_cases()", "return CASES", '"a": 1'])
def test_a_piece_in_a_test_or_in_what_it_uses(piece: str) -> None:
    check(Row("x", ME, piece))


@table(
    ("test", "piece"),
    [
        (ME, "never there"),
        (ME, "rows_of"),
        (ME, "something"),
        (ME + "s", "use_cases"),
        ("dialects/test_gone.py::test_something", "use_cases"),
    ],
)
def test_what_has_gone(test: str, piece: str) -> None:
    with pytest.raises(AssertionError, match=r"x: (there is no|.* has no|.* proves nothing)"):
        check(Row("x", test, piece))


def test_rows_are_read() -> None:
    first, second = rows_of("@ f::t\na | 1 | 2\n\n b|c | d\n")
    assert first.values == (Row("a", "f::t", "1 | 2"),)
    assert second.values == (Row("b|c", "f::t", "d"),)
    assert second.id == "b|c"
    with pytest.raises(AssertionError, match="a is there twice"):
        rows_of("@ f::t\na | 1", "@ g::t\na | 2")
