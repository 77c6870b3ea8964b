from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from casedesk_proxy.store.waiting import Bell, Commits, WaitingItems
from casedesk_proxy.store.writer import Insert

FACT = Insert("INSERT INTO facts VALUES (?, 'x')", lambda item: (item,))


def test_items_leave_in_their_order() -> None:
    items = WaitingItems(3)
    for one in "abcd":
        items.add(FACT, one)
    assert (len(items), items.overflown) == (3, 1)
    assert items.list_next(2) == [(FACT, "a"), (FACT, "b")]
    items.let_go(2)
    assert (len(items), items.list_next(2)) == (1, [(FACT, "c")])


class Growing(deque[Any]):
    """Another thread adds an item at each look."""

    def __iter__(self) -> Iterator[Any]:
        found = super().__iter__()
        self.append((FACT, "more"))
        return found

    def __getitem__(self, place: Any) -> Any:
        self.append((FACT, "more"))
        return super().__getitem__(place)


def test_items_are_added_while_others_are_taken() -> None:
    items = WaitingItems(9)
    items._items = Growing([(FACT, "a"), (FACT, "b"), (FACT, "c")])
    assert items.list_next(2) == [(FACT, "a"), (FACT, "b")]


def test_a_bell_is_heard_once_for_each_call() -> None:
    bell = Bell()
    bell.ring()
    assert bell.is_rung
    bell.wait(None)
    bell.call()
    bell.wait(None)
    bell.wait(0.0)


@pytest.mark.parametrize("is_done", [True, False])
def test_nobody_has_to_know_what_ended(is_done: bool) -> None:
    assert Commits().ended(is_done) is None  # type: ignore[func-returns-value]
