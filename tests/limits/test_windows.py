"""Windows across midnight, the ends of months, changes of clocks, and clocks that are set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.limits.windows import (
    Calendar,
    Moment,
    Period,
    Second,
    SlidingMinute,
    Today,
)
from tests.fixtures.effort import examples
from tests.fixtures.table import table

#: Clocks change at midnight, by half an hour, or not at all; Apia skipped a whole day.
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana",
    "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Asia/Beirut",
)  # fmt: skip
MOMENTS = st.floats(1.0e9, 2.2e9)


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def today(text: str, zone: str) -> Today:
    return Calendar(ZoneInfo(zone)).today(at(text, zone))


class PlainMinute:
    """Keeps every amount separately, as the reference."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def total(self, now: float) -> int:
        return sum(amount for step, amount in self.seen if step > int(now) - 60)


AMOUNTS = st.lists(
    st.tuples(st.floats(0, 30), st.integers(0, 50), st.none() | st.floats(0, 90)), max_size=40
)


@given(amounts=AMOUNTS, later=st.floats(0, 100))
@examples(150)
def test_a_minute_is_the_sum_of_what_came_to_pass_in_it(
    amounts: list[tuple[float, int, float | None]], later: float
) -> None:
    window, plain, now = SlidingMinute(), PlainMinute(), 1000.0
    for pause, amount, age in amounts:
        now += pause
        when = now if age is None else now - age
        window.add(now, amount, None if age is None else when)
        plain.seen.append((int(when), amount))
        assert window.total(now) == plain.total(now)
    assert window.total(now + later) == plain.total(now + later)


@given(amounts=AMOUNTS, most=st.integers(1, 200))
@examples(200)
def test_whoever_waits_as_long_as_is_said_finds_room_and_nobody_before(
    amounts: list[tuple[float, int, float | None]], most: int
) -> None:
    window, now = SlidingMinute(), 1000.0
    for pause, amount, _ in amounts:
        now += pause
        window.add(now, amount)
    wait = window.pause_until_below(now, most)
    assert 0 <= wait <= 60
    if wait:
        assert window.total(now + wait - 1.001) >= most
    assert window.total(now + wait + 0.001) < most
    assert window.total(now + window.pause_until_empty(now) + 0.001) == 0


def test_an_amount_counts_for_a_minute_and_not_longer() -> None:
    window = SlidingMinute()
    window.add(10.9, 5)
    assert (window.total(69.9), window.total(70.0)) == (5, 0)
    assert window.pause_until_below(70.0, 1) == 0.0


def test_of_a_limit_that_nothing_meets_a_whole_minute_is_waited() -> None:
    window = SlidingMinute()
    window.add(10.0, 5)
    assert window.pause_until_below(10.0, 0) == 60.0
    assert window.pause_until_below(200.0, 0) == 60.0


@given(back=st.floats(0, 1e6), pause=st.floats(0, 59))
@examples(100)
def test_a_clock_that_goes_back_keeps_what_it_counted_for_a_minute(
    back: float, pause: float
) -> None:
    window = SlidingMinute()
    window.add(2e6, 5)
    window.add(2e6 - back, 7)
    assert window.total(2e6 - back) == 12
    assert window.total(2e6 - back + 60.001) == 0


@given(wall=MOMENTS, zone=st.sampled_from(ZONES))
@examples(200)
def test_every_moment_is_in_its_day_and_its_month(wall: float, zone: str) -> None:
    calendar = Calendar(ZoneInfo(zone))
    found = calendar.today(wall)
    assert found.day.start <= wall < found.day.end
    assert found.month.start <= found.day.start
    assert found.day.end <= found.month.end
    assert 22 * 3600 <= found.day.end - found.day.start <= 26 * 3600
    assert datetime.fromtimestamp(wall, ZoneInfo(zone)).date().toordinal() == found.day.name


@given(wall=MOMENTS, zone=st.sampled_from(ZONES))
@examples(150)
def test_days_and_months_follow_each_other_without_a_gap(wall: float, zone: str) -> None:
    calendar = Calendar(ZoneInfo(zone))
    found = calendar.today(wall)
    tomorrow, next_month = calendar.today(found.day.end), calendar.today(found.month.end)
    assert tomorrow.day.start == found.day.end
    assert tomorrow.day.name > found.day.name
    assert next_month.month.start == found.month.end
    assert next_month.month.name == found.month.name + 1
    assert calendar.today(found.day.start) == found


@given(walls=st.lists(MOMENTS, max_size=10), zone=st.sampled_from(ZONES))
@examples(100)
def test_a_clock_that_jumps_leads_to_the_day_that_it_shows(walls: list[float], zone: str) -> None:
    calendar = Calendar(ZoneInfo(zone))
    for wall in walls:
        assert calendar.today(wall) == Calendar(ZoneInfo(zone)).today(wall)


@table(
    ("text", "zone", "hours"),
    [
        ("2024-03-31T12:00", "Europe/Berlin", 23),
        ("2024-10-27T12:00", "Europe/Berlin", 25),
        # No midnight: the day begins at 01:00.
        ("2018-11-04T12:00", "America/Sao_Paulo", 23),
        # 23:00 comes twice.
        ("2018-02-17T12:00", "America/Sao_Paulo", 25),
        # Midnight comes twice.
        ("2024-11-03T12:00", "America/Havana", 25),
        ("2024-04-07T12:00", "Australia/Lord_Howe", 24.5),
        ("2024-11-29T12:00", "UTC", 24),
    ],
)
def test_days_on_which_clocks_change(text: str, zone: str, hours: float) -> None:
    """Long past: countries change their minds, and an update of the time zones this year's days."""
    day = today(text, zone).day
    assert (day.end - day.start) / 3600 == hours


def test_a_day_that_was_skipped_is_none() -> None:
    calendar = Calendar(ZoneInfo("Pacific/Apia"))
    thursday = calendar.today(at("2011-12-29T12:00", "Pacific/Apia"))
    saturday = calendar.today(thursday.day.end)
    assert saturday.day.name == thursday.day.name + 2


@table(
    ("text", "days"),
    [("2024-02-10", 29), ("2026-02-28", 28), ("2026-12-31T23:59", 31), ("2026-11-01", 30)],
)
def test_a_month_is_as_long_as_the_calendar_says(text: str, days: int) -> None:
    month = today(text, "UTC").month
    assert month.end - month.start == timedelta(days=days).total_seconds()


def test_midnight_is_that_of_the_zone() -> None:
    found = today("2026-12-31T23:30", "Asia/Kathmandu")
    assert datetime.fromtimestamp(found.month.end, UTC).isoformat() == "2026-12-31T18:15:00+00:00"
    assert found.day == Period(found.day.name, found.month.end - 86400, found.month.end)


def test_a_minute_ends_a_minute_later_though_its_clock_went_back() -> None:
    minute = SlidingMinute()
    minute.add(1000.0, 5)
    assert minute.total(900.0) == 5
    assert minute.total(959.0) == 5
    assert minute.total(960.0) == 0


@table(
    ("steady", "wall", "lasts"),
    [(100.25, 500.5, 0.5), (100.75, 500.5, 0.25), (100.0, 500.0, 1.0), (7.5, 499.75, 0.25)],
)
def test_a_second_ends_with_that_of_either_clock(steady: float, wall: float, lasts: float) -> None:
    second = Second.at(Moment(steady, wall, Calendar(UTC).today(wall)))
    assert (second.until, second.ahead) == (steady + lasts, wall - steady)


def test_days_are_listed_from_the_first_to_the_last_moment() -> None:
    calendar = Calendar(ZoneInfo("Europe/Berlin"))
    first, last = at("2027-03-27T22:00"), at("2027-03-29T22:00")
    days = calendar.days(first, last)
    assert days == [calendar.today(first), calendar.today(at("2027-03-28T12:00")),
                    calendar.today(at("2027-03-29T12:00")), calendar.today(last)]  # fmt: skip
    assert [one.day.end - one.day.start for one in days] == [86400, 82800, 86400, 86400]
    assert calendar.days(first, first) == [calendar.today(first)]
