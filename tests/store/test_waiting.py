from __future__ import annotations

import pytest

from casedesk_proxy.store.waiting import WaitingRows


def rows(*items: str) -> WaitingRows:
    made = WaitingRows()
    made.items.extend(items)
    return made


def test_rows_leave_in_their_order() -> None:
    made = rows("a", "b", "c")
    assert (len(made), made.list_next(2)) == (3, ["a", "b"])
    made.let_go(2)
    assert (len(made), made.list_next(2), list(made.items)) == (1, ["c"], ["c"])


def test_rows_that_are_held_stay_and_do_not_wait() -> None:
    made = rows("a", "b")
    made.hold()
    made.let_go(1)
    place, waiting = made.list_waiting()
    assert (place, waiting, len(made)) == (2, ["b"], 1)
    made.items.append("c")
    made.let_go(2)
    made.items.append("d")
    assert len(made) == 1
    place, since = made.list_since(place)
    assert (place, since) == (4, ["c", "d"])
    assert made.list_since(place) == (4, [])
    made.release()
    assert (len(made), made.list_next(9)) == (1, ["d"])
    made.let_go(1)
    assert (len(made), list(made.items)) == (0, [])


@pytest.mark.parametrize("is_done", [True, False])
def test_nobody_has_to_know_what_ended(is_done: bool) -> None:
    assert WaitingRows().ended(is_done) is None  # type: ignore[func-returns-value]
