from __future__ import annotations

from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.limits.use import PastUse, Use, count_tokens
from casedesk_proxy.limits.windows import Calendar, Moment, Second
from casedesk_proxy.terms import Limit, Usage
from tests.fixtures.effort import examples

CALENDAR = Calendar(UTC)
#: The first moment of 2027 in seconds since 1970.
NEW_YEAR = 1798761600.0
DAY_S = 86400.0


def moment(wall: float, steady: float = 1000.0) -> Moment:
    return Moment(steady, wall, CALENDAR.today(wall))


def spend(use: Use, now: Moment, tokens: int) -> None:
    use.add_request(now.steady)
    use.add_tokens(now, tokens)


def used(use: Use, now: Moment) -> tuple[int, ...]:
    return tuple(use.used(limit, now) for limit in Limit if limit is not Limit.PARALLEL)


def test_everything_is_counted_in_every_window() -> None:
    use, now = Use(), moment(NEW_YEAR)
    spend(use, now, 10)
    spend(use, now, 5)
    assert used(use, now) == (2, 15, 15, 15)


def test_what_is_counted_up_in_a_second_counts_as_anything_else() -> None:
    use, now = Use(), moment(NEW_YEAR)
    use.enter(Second.at(now))
    use.asked += 2
    use.spent += 15
    assert used(use, now) == (2, 15, 15, 15)
    use.spent += 5
    use.enter(Second.at(moment(NEW_YEAR + 1, 1001.0)))
    use.asked += 1
    assert used(use, moment(NEW_YEAR + 1, 1001.0)) == (3, 20, 20, 20)
    use.spent += 1
    use.replace(PastUse())
    assert used(use, now) == (0, 0, 0, 0)


def test_midnight_ends_a_day_and_new_year_a_month() -> None:
    use = Use()
    spend(use, moment(NEW_YEAR - DAY_S - 1, 0.0), 3)
    spend(use, moment(NEW_YEAR - 1, 1000.0), 10)
    assert used(use, moment(NEW_YEAR - 0.5, 1000.5)) == (1, 10, 10, 13)
    assert used(use, moment(NEW_YEAR, 1001.0)) == (1, 10, 0, 0)


@given(days=st.floats(-400, 400))
@examples(100)
def test_a_clock_that_is_set_and_set_back_gives_nobody_a_new_month(days: float) -> None:
    use, now = Use(), moment(NEW_YEAR + DAY_S / 2)
    spend(use, now, 10)
    wrong = moment(NEW_YEAR + days * DAY_S, 1010.0)
    spend(use, wrong, 4)
    back = moment(NEW_YEAR + DAY_S / 2 + 20, 1020.0)
    minute = (2, 14)
    same_day = wrong.today.day == back.today.day
    same_month = wrong.today.month == back.today.month
    assert used(use, back) == (*minute, 14 if same_day else 10, 14 if same_month else 10)


def test_what_was_used_before_counts_from_when_it_was_used() -> None:
    use, now = Use(), moment(NEW_YEAR + 30)
    use.add_past(CALENDAR.today(NEW_YEAR - 30), 50)
    use.add_past(now.today, 7)
    use.add_past(CALENDAR.today(NEW_YEAR - 10), 4)
    use.add_recent(now.steady, 4, now.steady - 40)
    use.add_request(now.steady, now.steady - 40)
    assert used(use, now) == (1, 4, 7, 7)
    assert used(use, moment(NEW_YEAR + 51, now.steady + 21)) == (0, 0, 7, 7)


def test_when_a_window_ends() -> None:
    use, now = Use(), moment(NEW_YEAR - 100)
    spend(use, now, 10)
    assert use.pause_until_reset(Limit.TOKENS_PER_DAY, now) == 100
    assert use.pause_until_below(Limit.TOKENS_PER_MONTH, now, 1) == 100
    assert use.pause_until_below(Limit.TOKENS_PER_MINUTE, now, 11) == 0
    assert use.pause_until_below(Limit.REQUESTS_PER_MINUTE, now, 1) == 60
    assert use.pause_until_reset(Limit.REQUESTS_PER_MINUTE, now) == 60
    january = moment(NEW_YEAR)
    assert use.pause_until_reset(Limit.TOKENS_PER_MONTH, january) == 31 * DAY_S


def test_old_days_are_forgotten() -> None:
    use = Use()
    for day in range(200):
        use.add_past(CALENDAR.today(NEW_YEAR + day * DAY_S), 1)
    assert use.used(Limit.TOKENS_PER_DAY, moment(NEW_YEAR)) == 0
    assert use.used(Limit.TOKENS_PER_DAY, moment(NEW_YEAR + 199 * DAY_S)) == 1
    assert use.used(Limit.TOKENS_PER_MONTH, moment(NEW_YEAR + 199 * DAY_S)) == 19


def test_tokens_are_prompt_and_output_with_what_was_cached_and_thought() -> None:
    assert count_tokens(Usage(3, 4, 1, 2)) == 7
    assert count_tokens(Usage(3, None)) == 3
    assert count_tokens(Usage()) == 0
