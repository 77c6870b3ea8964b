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


def spent(tokens: int, ended: float = 0.0, key: str = "alice") -> Spent:
    return Spent(key, "desk", tokens, NOON + ended - 1, NOON + ended, asked=True)


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


class Ended(list[Spent]):
    """This process's exchanges, which the ledger lists."""

    def list_since(self, place: int) -> tuple[int, list[Spent]]:
        return len(self), self[place:]


def end(made: Book, one: Spent, now: Moment, ended: Ended | None = None) -> None:
    """End a request of alice and desk; both are counted."""
    for use in (made.find("key", "alice"), made.find("deployment", "desk")):
        if use is not None:
            use.add_tokens(now, one.tokens)
    if ended is not None:
        ended.append(one)


def replace(
    made: Book,
    past: Past,
    now: Moment,
    running: Mapping[ScopeName, Sequence[float]],
    ended: Ended | None = None,
) -> None:
    begun = made.replace(
        past, lambda which: running.get(which, ()), (ended or Ended()).list_since, lambda: now
    )
    for _ in begun:
        pass


def test_what_ends_here_and_what_others_add_counts() -> None:
    made, now = book(), moment()
    end(made, spent(10), now)
    made.take([spent(5)], now)
    made.take([spent(1, key="bob")], now)
    assert used(made, now) == (1, 15, 15, 15)
    assert used(made, now, "deployment", "desk") == (2, 16, 16, 16)
    assert made.find("key", "bob") is None


def test_only_the_scopes_that_are_meant_count() -> None:
    made, now = book(), moment()
    made.add(spent(3), [("key", "alice"), ("key", "nobody")], now)
    assert used(made, now) == (1, 3, 3, 3)
    assert used(made, now, "deployment", "desk") == (0, 0, 0, 0)


def test_the_past_is_the_truth_and_what_is_not_in_it_comes_on_top() -> None:
    made, now, ended = book(), moment(), Ended()
    end(made, spent(10), now, ended)
    end(made, spent(20), now, ended)
    past = Past(CALENDAR, now, made.scopes, place=1)
    past.add_sums(
        [
            PastSum("alice", "desk", NOON - 86400, 1000),
            PastSum("alice", "desk", NOON, 10 + 7),
            PastSum("bob", "desk", NOON, 4),
        ]
    )
    past.add_recent([spent(10), spent(7, ended=-90.0)])
    replace(made, past, now, {("key", "alice"): [4997.0], ("deployment", "desk"): [4997.0]}, ended)
    assert used(made, now) == (3, 30, 37, 37)
    assert used(made, now, "deployment", "desk")[2] == 41


def test_the_past_has_what_waits_for_the_ledger() -> None:
    made, now = book(), moment()
    past = Past(CALENDAR, now, made.scopes)
    past.add_sums([PastSum("alice", "desk", NOON, 10)])
    past.add([spent(20), spent(3, ended=-61.0), spent(5, key="bob")])
    replace(made, past, now, {})
    assert used(made, now) == (1, 20, 33, 33)
    assert used(made, now, "deployment", "desk") == (2, 25, 38, 38)


@table("steps", [0, 1, 2, 3])
def test_what_ends_between_two_steps_counts_once(steps: int) -> None:
    """Thousands of scopes are taken over in steps, between which other work runs."""
    made, now, ended = Book(CALENDAR), moment(), Ended()
    for number in range(500):
        made.open("key", f"key{number}")
    made.open("key", "alice")
    made.open("deployment", "desk")
    end(made, spent(10), now, ended)
    past = Past(CALENDAR, now, made.scopes)
    past.add_sums([PastSum("alice", "desk", NOON, 100), PastSum("key0", "desk", NOON, 1)])
    taking = made.replace(past, lambda _: (), ended.list_since, lambda: now)
    for _ in range(steps):
        next(taking)
    end(made, spent(20), now, ended)
    for _ in taking:
        pass
    assert used(made, now)[1:] == (30, 130, 130)
    assert used(made, now, "deployment", "desk")[1:] == (30, 131, 131)
    assert used(made, now, "key", "key0")[2] == 1


def test_what_is_closed_counts_no_more() -> None:
    made, now = book(), moment()
    taking = made.replace(Past(CALENDAR, now, ()), lambda _: (), Ended().list_since, lambda: now)
    made.close("key", "alice")
    made.close("key", "nobody")
    for _ in taking:
        pass
    assert made.find("key", "alice") is None
    assert made.scopes == {("deployment", "desk")}
    for number in range(300):
        made.open("key", f"key{number}")
    taking = made.replace(Past(CALENDAR, now, ()), lambda _: (), Ended().list_since, lambda: now)
    next(taking)
    made.close("key", "key299")
    for _ in taking:
        pass
    assert made.find("key", "key299") is None
