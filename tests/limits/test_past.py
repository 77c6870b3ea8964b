from __future__ import annotations

from datetime import UTC

from casedesk_proxy.limits.past import Past, PastSum, ScopeName, Spent
from casedesk_proxy.limits.use import PastUse
from casedesk_proxy.limits.windows import Calendar, Moment

CALENDAR = Calendar(UTC)
#: Noon on the first of January 2027, in seconds since 1970.
NOON = 1798804800.0
NOW = Moment(5000.5, NOON, CALENDAR.today(NOON))
ALICE, DESK = ("key", "alice"), ("deployment", "desk")
TODAY, YEAR = NOW.today.day.name, NOW.today.month.name


def past(*wanted: ScopeName) -> Past:
    return Past(CALENDAR, NOW, frozenset(wanted))


def test_sums_are_added_up_by_day_and_month_for_the_key_and_for_the_deployment() -> None:
    made = past(ALICE, DESK)
    made.add_sums([PastSum("alice", "desk", NOON, 3), PastSum("bob", "desk", NOON - 60, 4)])
    made.add_sums([PastSum("alice", "desk", NOON - 86400, 10)])
    assert made.uses == {
        ALICE: PastUse({TODAY: 3, TODAY - 1: 10}, {YEAR: 3, YEAR - 1: 10}),
        DESK: PastUse({TODAY: 7, TODAY - 1: 10}, {YEAR: 7, YEAR - 1: 10}),
    }


def test_the_last_minute_is_known_by_its_seconds() -> None:
    made = past(ALICE)
    made.add_recent(
        [
            Spent("alice", "desk", 5, NOON - 3.2, NOON - 1.2, asked=True),
            Spent("alice", "desk", 7, NOON - 3.3, NOON - 1.3, asked=False),
            Spent("bob", "desk", 1, NOON - 1, NOON, asked=True),
            # By a clock that was ahead.
            Spent("alice", "desk", 2, NOON + 9, NOON + 10, asked=True),
        ]
    )
    assert made.uses == {ALICE: PastUse(requests={4997: 1, 5000: 1}, tokens={4999: 12, 5000: 2})}


def test_nothing_is_gathered_of_what_nobody_wants() -> None:
    made = past()
    made.add_sums([PastSum("alice", "desk", NOON, 3)])
    made.add_recent([Spent("alice", "desk", 5, NOON - 2, NOON - 1, asked=True)])
    assert made.uses == {}
