"""What the environment turns off, and that a wrong name is an error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from casedesk_proxy.fastpath.switches import Trick, is_on, read_plain, turn_off
from tests.fixtures.table import table


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = turn_off([])
    yield
    turn_off(before)


@table(
    ("text", "off"),
    [
        ("", set()),
        ("0", set()),
        (" 1 ", set(Trick)),
        ("cork", {Trick.CORK}),
        ("fibers, one-chunk", {Trick.FIBERS, Trick.ONE_CHUNK}),
    ],
)
def test_names_turn_off_what_they_name(text: str, off: set[Trick]) -> None:
    assert read_plain(text) == off


@table("text", ["2", "corks", "cork,", "all"])
def test_another_name_is_an_error_that_lists_the_right_ones(text: str) -> None:
    with pytest.raises(ValueError, match=r"CASEDESK_PLAIN: .* use 1, or some of fibers, cork"):
        read_plain(text)


def test_all_are_on_but_for_those_that_are_turned_off() -> None:
    assert all(map(is_on, Trick))
    assert turn_off([Trick.HEADS]) == frozenset()
    assert [trick for trick in Trick if not is_on(trick)] == [Trick.HEADS]
    assert turn_off([Trick.CORK]) == {Trick.HEADS}
    assert is_on(Trick.HEADS)
