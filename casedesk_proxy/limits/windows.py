"""Spans of time over which use is counted: the last minute, the day and the month of a calendar.

The minute slides and is measured by a clock that is never set; days and months begin at midnight in
a time zone, and follow the wall clock when it is set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from casedesk_proxy.terms import record

__all__ = ["Calendar", "Moment", "Period", "Second", "SlidingMinute", "Today"]

_MINUTE_S = 60


class SlidingMinute:
    """What was used within the last 60 seconds, in steps of one second: each amount counts for 59
    to 60 s, never longer, so that no request is refused for use that is over.

    ``now`` is in seconds of one clock. If that goes back, the counted amounts are treated as used
    now.
    """

    __slots__ = ("_steps", "_total")

    def __init__(self, steps: Mapping[int, int] | None = None) -> None:
        """``steps``: amounts by the second in which they were used."""
        #: Second and amount, in the order of seconds, each second once. At most a minute's, for
        #: which a list is small and fast enough: there is one for each key.
        self._steps = [[step, amount] for step, amount in sorted((steps or {}).items()) if amount]
        self._total = sum(amount for _, amount in self._steps)

    def add(self, now: float, amount: int, at: float | None = None) -> None:
        """``at``: when it was used, if that was before ``now``."""
        self._forget(now)
        step, steps = int(now if at is None else min(at, now)), self._steps
        if step <= int(now) - _MINUTE_S or not amount:
            return
        later = []
        while steps and steps[-1][0] > step:
            later.append(steps.pop())
        if steps and steps[-1][0] == step:
            steps[-1][1] += amount
        else:
            steps.append([step, amount])
        if later:
            steps.extend(reversed(later))
        self._total += amount

    def total(self, now: float) -> int:
        self._forget(now)
        return self._total

    def pause_until_below(self, now: float, most: int) -> float:
        """Seconds until the total is less than ``most``, if nothing is added; 60 if even nothing
        would be too much."""
        total = self.total(now)
        if total < most:
            return 0.0
        for step, amount in self._steps:
            total -= amount
            if total < most:
                return step + _MINUTE_S - now
        return float(_MINUTE_S)

    def pause_until_empty(self, now: float) -> float:
        self._forget(now)
        return self._steps[-1][0] + _MINUTE_S - now if self._steps else 0.0

    def _forget(self, now: float) -> None:
        steps, last = self._steps, int(now)
        if not steps:
            return
        if steps[-1][0] > last:
            back = steps[-1][0] - last
            self._steps = steps = [[step - back, amount] for step, amount in steps]
        while steps and steps[0][0] <= last - _MINUTE_S:
            self._total -= steps.pop(0)[1]


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` to before ``end``, in seconds since 1970. ``name`` is unique: the number of a
    day, or that of a month."""

    name: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Today:
    """A day of a calendar, and its month."""

    day: Period
    month: Period


@record
class Moment:
    """``steady``: seconds of a clock that is never set; ``wall``: seconds since 1970; ``today``:
    the day of ``wall``."""

    steady: float
    wall: float
    today: Today

    def steady_at(self, wall: float) -> float:
        """An earlier time of the wall clock, by the steady clock."""
        return self.steady - max(self.wall - wall, 0.0)


@record
class Second:
    """A span in which nothing that was used expires, and no remaining time changes its text: within
    one second of each clock, and one day. ``begun`` is a moment in it; it lasts to before ``until``
    of the steady clock; the wall clock is ``ahead`` of that. A clock that is set meanwhile is
    noticed in the next second."""

    begun: Moment
    until: float
    ahead: float

    @classmethod
    def at(cls, now: Moment) -> Second:
        steady, wall = now.steady, now.wall
        left = min(math.floor(steady) + 1 - steady, math.floor(wall) + 1 - wall)
        return cls(now, steady + left, wall - steady)


class Calendar:
    """Days and months in ``zone``. A day begins with its first moment, which is 01:00 if clocks go
    forward at midnight, and has 23 to 25 hours; a skipped day does not exist."""

    __slots__ = ("_last", "_zone")

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._last: Today | None = None

    def today(self, wall: float) -> Today:
        last = self._last
        if last is None or not last.day.start <= wall < last.day.end:
            last = self._last = self._find(wall)
        return last

    def days(self, since: float, until: float) -> list[Today]:
        """All days between the two moments, both included."""
        days = [self.today(since)]
        while (end := days[-1].day.end) <= until:
            days.append(self.today(end))
        return days

    def _find(self, wall: float) -> Today:
        local = datetime.fromtimestamp(wall, self._zone).date()
        first = local.replace(day=1)
        next_month = (first + timedelta(days=31)).replace(day=1)
        day = Period(local.toordinal(), self._begin(local), self._begin(local + timedelta(days=1)))
        month = Period(first.year * 12 + first.month, self._begin(first), self._begin(next_month))
        return Today(day, month)

    def _begin(self, day: date) -> float:
        """Midnight; the earlier one if there are two, and the moment at which clocks go forward if
        there is none: ``fold=0`` gives both."""
        local = datetime(day.year, day.month, day.day, tzinfo=self._zone)
        return (local - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
