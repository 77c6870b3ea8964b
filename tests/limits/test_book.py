from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC

from casedesk_proxy.limits.book import Book
from casedesk_proxy.limits.past import Past, PastSum, ScopeName, Spent
from casedesk_proxy.limits.windows import Calendar, Moment
from casedesk_proxy.terms import Limit
from tests.fixtures.table import table

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
    """End requests of alice and desk; both are counted."""
    for use in (made.find("key", "alice"), made.find("deployment", "desk")):
        if use is not None:
            use.add_tokens(now, one.tokens)
    if is_entered:
        ahead = now.wall - now.steady
        times = one.started - ahead, one.ended - ahead, ahead
        made.awaited[one.request] = (one, one.tokens, *times, "n" if one.asked else "")
        made.bound()


def replace(
    made: Book, past: Past, now: Moment, running: Mapping[ScopeName, Sequence[float]]
) -> None:
    for _ in made.replace(past, lambda which: running.get(which, ()), lambda: now):
        pass


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
    past = Past(CALENDAR, now, made.scopes)
    past.add_sums(
        [
            PastSum("alice", "desk", NOON - 86400, 1000),
            PastSum("alice", "desk", NOON, 10 + 7),
            PastSum("bob", "desk", NOON, 4),
        ]
    )
    past.add_recent([spent("written", 10), spent("older", 7, ended=-90.0)])
    replace(made, past, now, {("key", "alice"): [4997.0], ("deployment", "desk"): [4997.0]})
    assert used(made, now) == (3, 30, 37, 37)
    assert used(made, now, "deployment", "desk")[2] == 41
    made.take([spent("written", 10), spent("unwritten", 20)], now)
    assert used(made, now)[1:] == (40, 47, 47), "a row that the past held does not come again"


@table("steps", [0, 1, 2, 3])
def test_what_ends_between_two_steps_counts_once(steps: int) -> None:
    """Thousands of scopes are taken over in steps, between which other work runs."""
    made, now = Book(CALENDAR), moment()
    for number in range(500):
        made.open("key", f"key{number}")
    made.open("key", "alice")
    made.open("deployment", "desk")
    end(made, spent("before", 10), now)
    past = Past(CALENDAR, now, made.scopes)
    past.add_sums([PastSum("alice", "desk", NOON, 100), PastSum("key0", "desk", NOON, 1)])
    taking = made.replace(past, lambda _: (), lambda: now)
    for _ in range(steps):
        next(taking)
    end(made, spent("meanwhile", 20), now)
    for _ in taking:
        pass
    assert used(made, now)[1:] == (30, 130, 130)
    assert used(made, now, "deployment", "desk")[1:] == (30, 131, 131)
    assert used(made, now, "key", "key0")[2] == 1


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
