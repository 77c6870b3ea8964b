"""What the ledger holds, gathered by scope.

It may be a month of thousands of keys, so that this is done in the thread that reads the ledger,
and what comes to the loop is in the form in which use is counted.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from casedesk_proxy.limits.use import PastUse
from casedesk_proxy.limits.windows import Calendar, Moment, Today
from casedesk_proxy.terms import record

__all__ = ["Ended", "Past", "PastSum", "ScopeName", "Spent"]

#: Its kind, key or deployment, and its name.
ScopeName = tuple[str, str]


@record
class Spent:
    """What one exchange used. Times in seconds since 1970; ``asked``: whether it came to a node."""

    request: str
    key: str
    deployment: str
    tokens: int
    started: float
    ended: float
    asked: bool

    @property
    def scopes(self) -> tuple[ScopeName, ScopeName]:
        return ("key", self.key), ("deployment", self.deployment)


class ScopeNames(Protocol):
    """Whose an exchange is."""

    @property
    def key(self) -> str: ...

    @property
    def deployment(self) -> str: ...


#: What a `Spent` is made of, should somebody look at it, for an exchange of this process: whose it
#: is, tokens, begin and end by the steady clock, by how much the wall clock is ahead of that, and
#: the node that it came to. One is made for each exchange, and hardly any looked at.
Ended = tuple[ScopeNames, int, float, float, float, str]


@record
class PastSum:
    """What exchanges that ended at about ``when``, so that they are of one day, used together."""

    key: str
    deployment: str
    when: float
    tokens: int


@dataclass(slots=True)
class Past:
    """What those in ``wanted`` have used up to ``now``. ``requests`` are the ids of the last
    minutes' exchanges."""

    calendar: Calendar
    now: Moment
    wanted: Container[ScopeName]
    uses: dict[ScopeName, PastUse] = field(default_factory=dict)
    requests: set[str] = field(default_factory=set)
    _todays: dict[float, Today] = field(default_factory=dict)

    def add_sums(self, sums: Iterable[PastSum]) -> None:
        for one in sums:
            for which in (("key", one.key), ("deployment", one.deployment)):
                if which in self.wanted:
                    use, today = self._open(which), self._today(one.when)
                    _add(use.days, today.day.name, one.tokens)
                    _add(use.months, today.month.name, one.tokens)

    def add_recent(self, rows: Iterable[Spent]) -> None:
        """By themselves the exchanges of the last minutes, which the sums contain."""
        for row in rows:
            self.requests.add(row.request)
            for which in row.scopes:
                if which not in self.wanted:
                    continue
                use = self._open(which)
                _add(use.tokens, self._second(row.ended), row.tokens)
                if row.asked:
                    _add(use.requests, self._second(row.started), 1)

    def _open(self, which: ScopeName) -> PastUse:
        use = self.uses.get(which)
        if use is None:
            use = self.uses[which] = PastUse()
        return use

    def _today(self, wall: float) -> Today:
        today = self._todays.get(wall)
        if today is None:
            today = self._todays[wall] = self.calendar.today(wall)
        return today

    def _second(self, wall: float) -> int:
        return int(self.now.steady_at(wall))


def _add(counts: dict[int, int], name: int, amount: int) -> None:
    counts[name] = counts.get(name, 0) + amount
