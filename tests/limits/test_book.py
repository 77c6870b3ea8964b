from __future__ import annotations

from datetime import UTC

from casedesk_proxy.limits.book import Book, Past, PastSum, Spent
from casedesk_proxy.limits.windows import Calendar, Moment
from casedesk_proxy.terms import Limit

CALENDAR = Calendar(UTC)
#: Noon on the first of January 2027, in seconds since 1970.
NOON = 1798804800.0


def moment(seconds: float = 0.0) -> Moment:
    wall = NOON + seconds
    return Moment(5000.0 + seconds, wall, CALENDAR.today(wall))


def spent(request: str, tokens: int, ended: float = 0.0, key: str = "alice") -> Spent:
    return Spent(request, key, "desk", tokens, NOON + ended - 1, NOON + ended, asked=True)


def book() -> Book:
    made = Book(CALENDAR)
    assert made.is_empty
    made.open("key", "alice")
    made.open("deployment", "desk")
    return made


def used(made: Book, now: Moment, kind: str = "key", name: str = "alice") -> tuple[int, ...]:
    use = made.find(kind, name)
    assert use is not None
    return tuple(use.used(limit, now) for limit in Limit if limit is not Limit.PARALLEL)


def end(made: Book, one: Spent, now: Moment, *, is_entered: bool = True) -> None:
    """Of alice and desk, which are counted."""
    for use in (made.find("key", "alice"), made.find("deployment", "desk")):
        if use is not None:
            use.add_tokens(now, one.tokens)
    if is_entered:
        made.expect(one)


def test_what_ends_here_counts_once_though_it_comes_back_as_a_row() -> None:
    made, now = book(), moment()
    end(made, spent("r1", 10), now)
    made.take([spent("r1", 10), spent("r2", 5)], now)
    made.take([spent("r3", 1, key="bob")], now)
    assert used(made, now) == (1, 15, 15, 15)
    assert used(made, now, "deployment", "desk") == (2, 16, 16, 16)
    assert made.find("key", "bob") is None


def test_an_id_that_two_processes_use_counts_for_both() -> None:
    made, now = book(), moment()
    end(made, spent("same", 10), now)
    made.take([spent("same", 10), spent("same", 3)], now)
    assert used(made, now)[1:] == (13, 13, 13)


def test_without_a_ledger_no_row_is_waited_for() -> None:
    made, now = book(), moment()
    end(made, spent("r1", 10), now, is_entered=False)
    made.take([spent("r1", 10)], now)
    assert used(made, now)[1:] == (20, 20, 20)


def test_the_past_is_the_truth_and_what_is_not_in_it_yet_comes_on_top() -> None:
    made, now = book(), moment()
    end(made, spent("written", 10), now)
    end(made, spent("unwritten", 20), now)
    past = Past(
        [
            PastSum("alice", "desk", NOON - 86400, 1000),
            PastSum("alice", "desk", NOON, 10 + 7),
            PastSum("bob", "desk", NOON, 4),
        ],
        [spent("written", 10), spent("older", 7, ended=-90.0)],
    )
    made.replace(past, [spent("running", 0, ended=-2.0)], now)
    assert used(made, now) == (3, 30, 37, 37)
    assert used(made, now, "deployment", "desk")[2] == 41
    made.take([spent("written", 10), spent("unwritten", 20)], now)
    assert used(made, now)[1:] == (40, 47, 47), "a row that the past held does not come again"


def test_rows_that_nobody_waits_for_any_more_are_bounded() -> None:
    made, now = book(), moment()
    for number in range(200_001):
        end(made, spent(str(number), 0), now)
    made.take([spent("0", 5), spent("1", 5)], now)
    assert used(made, now)[2] == 5


def test_a_row_that_nobody_will_show_is_not_waited_for() -> None:
    made, now = book(), moment()
    end(made, spent("r1", 10), now)
    made.forget(["r1", "another"])
    # So one that comes all the same is another process's.
    made.take([spent("r1", 10)], now)
    assert used(made, now)[1:] == (20, 20, 20)
