"""What one key, or one deployment, has used: totals that only grow, and sums by window of time."""

from __future__ import annotations

from dataclasses import dataclass, field

from casedesk_proxy.limits.windows import Moment, Period, Second, SlidingMinute, Today
from casedesk_proxy.terms import Limit, Usage

__all__ = ["PastUse", "Use", "count_tokens"]

#: How many days and months are kept: those of this month and the previous one, and some more for a
#: clock that was set wrong for a while.
_MAX_DAYS = 70
_MAX_MONTHS = 4


def count_tokens(usage: Usage) -> int:
    """Prompt and output tokens, including those read from a cache, and thoughts."""
    return (usage.prompt or 0) + (usage.output or 0)


@dataclass(slots=True)
class PastUse:
    """What one scope has used before: ``days`` and ``months`` contain tokens by the day's or
    month's name; ``requests`` and ``tokens`` are those of the last minute, by the steady clock's
    second."""

    days: dict[int, int] = field(default_factory=dict)
    months: dict[int, int] = field(default_factory=dict)
    requests: dict[int, int] = field(default_factory=dict)
    tokens: dict[int, int] = field(default_factory=dict)


class Use:
    """Requests and tokens of one scope. Sums of days and months are kept by their names, so that a
    clock that is set forward, and back again, does not start a new month.

    Code that has called `enter` for the current ``second`` adds each request to ``asked`` and its
    tokens to ``spent``. The windows get these counts when a sum is requested. ``epoch`` becomes
    another object when anything else changes.
    """

    __slots__ = (
        "_days",
        "_entered",
        "_minute_requests",
        "_minute_tokens",
        "_months",
        "asked",
        "epoch",
        "second",
        "spent",
    )  # fmt: skip

    def __init__(self) -> None:
        self.asked = self.spent = 0
        self._entered = (0, 0)
        self.second: Second | None = None
        self.epoch: object = None
        self._minute_requests = SlidingMinute()
        self._minute_tokens = SlidingMinute()
        self._days: dict[int, int] = {}
        self._months: dict[int, int] = {}

    def enter(self, second: Second) -> None:
        """From now on ``asked`` and ``spent`` count for that second."""
        self._enter_counted()
        self.second, self.epoch = second, object()

    def replace(self, past: PastUse) -> None:
        """Drop what was counted, and take over ``past``."""
        self._entered, self.second, self.epoch = (self.asked, self.spent), None, None
        self._minute_requests = SlidingMinute(past.requests)
        self._minute_tokens = SlidingMinute(past.tokens)
        self._days, self._months = dict(past.days), dict(past.months)

    def add_request(self, steady: float, at: float | None = None) -> None:
        """``at``: when the request was admitted, if that was before ``steady``; seconds of the
        steady clock."""
        self._leave_second()
        self._minute_requests.add(steady, 1, at)

    def add_tokens(self, now: Moment, tokens: int) -> None:
        """Tokens of an exchange that has just ended."""
        self.add_recent(now.steady, tokens)
        self.add_past(now.today, tokens)

    def add_recent(self, steady: float, tokens: int, at: float | None = None) -> None:
        """Tokens only for the minute; ``at``: as in `add_request`."""
        self._leave_second()
        self._minute_tokens.add(steady, tokens, at)

    def add_past(self, today: Today, tokens: int) -> None:
        """Tokens only for a day and its month."""
        self._leave_second()
        _add(self._days, today.day.name, tokens, _MAX_DAYS)
        _add(self._months, today.month.name, tokens, _MAX_MONTHS)

    def used(self, limit: Limit, now: Moment) -> int:
        self._enter_counted()
        if limit is Limit.REQUESTS_PER_MINUTE:
            return self._minute_requests.total(now.steady)
        if limit is Limit.TOKENS_PER_MINUTE:
            return self._minute_tokens.total(now.steady)
        if limit is Limit.TOKENS_PER_DAY:
            return self._days.get(now.today.day.name, 0)
        return self._months.get(now.today.month.name, 0)

    def pause_until_below(self, limit: Limit, now: Moment, most: int) -> float:
        """Seconds until less than ``most`` is used, if nothing is added."""
        if (period := _period(limit, now)) is not None:
            return period.end - now.wall
        return self._minute(limit).pause_until_below(now.steady, most)

    def pause_until_reset(self, limit: Limit, now: Moment) -> float:
        """Seconds until nothing is used, if nothing is added."""
        if (period := _period(limit, now)) is not None:
            return period.end - now.wall
        return self._minute(limit).pause_until_empty(now.steady)

    def _leave_second(self) -> None:
        self._enter_counted()
        self.second = self.epoch = None

    def _enter_counted(self) -> None:
        """Add to the windows what ``asked`` and ``spent`` have counted since the last call."""
        asked, spent = self._entered
        if asked == self.asked and spent == self.spent:
            return
        assert self.second is not None, "nobody counts up who has not entered a second"
        now, asked, spent = self.second.begun, self.asked - asked, self.spent - spent
        self._entered = self.asked, self.spent
        self._minute_requests.add(now.steady, asked)
        self._minute_tokens.add(now.steady, spent)
        _add(self._days, now.today.day.name, spent, _MAX_DAYS)
        _add(self._months, now.today.month.name, spent, _MAX_MONTHS)

    def _minute(self, limit: Limit) -> SlidingMinute:
        self._enter_counted()
        is_requests = limit is Limit.REQUESTS_PER_MINUTE
        return self._minute_requests if is_requests else self._minute_tokens


def _period(limit: Limit, now: Moment) -> Period | None:
    """The day or month of a limit; None for a limit per minute, which slides and has no end."""
    if limit is Limit.TOKENS_PER_DAY:
        return now.today.day
    return now.today.month if limit is Limit.TOKENS_PER_MONTH else None


def _add(sums: dict[int, int], name: int, amount: int, most: int) -> None:
    if name not in sums and len(sums) >= most:
        del sums[min(sums)]
    sums[name] = sums.get(name, 0) + amount
