"""The ledger's content, grouped by scope.

It may be a month of thousands of keys, so this is done in the thread that reads the ledger, and the
loop gets the data in the form in which use is counted.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from casedesk_proxy.limits.use import PastUse
from casedesk_proxy.limits.windows import Calendar, Moment, Today
from casedesk_proxy.terms import record

__all__ = ["Past", "PastSum", "ScopeName", "Spent"]

#: Its kind, key or deployment, and its name.
ScopeName = tuple[str, str]


@record
class Spent:
    """What one exchange used. Times in seconds since 1970; ``asked``: whether a node was asked."""

    key: str
    deployment: str
    tokens: int
    started: float
    ended: float
    asked: bool

    @property
    def scopes(self) -> tuple[ScopeName, ScopeName]:
        return ("key", self.key), ("deployment", self.deployment)


@record
class PastSum:
    """The sum of what exchanges used that ended at about ``when``, and so on one day."""

    key: str
    deployment: str
    when: float
    tokens: int


@dataclass(slots=True)
class Past:
    """What the scopes in ``wanted`` have used up to ``now``. What this process adds to the ledger
    from ``place`` on is not in it."""

    calendar: Calendar
    now: Moment
    wanted: Container[ScopeName]
    uses: dict[ScopeName, PastUse] = field(default_factory=dict)
    place: int = 0
    _todays: dict[float, Today] = field(default_factory=dict)

    def add_sums(self, sums: Iterable[PastSum]) -> None:
        for one in sums:
            for which in (("key", one.key), ("deployment", one.deployment)):
                if which in self.wanted:
                    use, today = self._open(which), self._today(one.when)
                    _add(use.days, today.day.name, one.tokens)
                    _add(use.months, today.month.name, one.tokens)

    def add_recent(self, rows: Iterable[Spent]) -> None:
        """Add the exchanges of the last minutes individually, which the sums also contain."""
        for row in rows:
            for which in row.scopes:
                if which not in self.wanted:
                    continue
                use = self._open(which)
                _add(use.tokens, self._second(row.ended), row.tokens)
                if row.asked:
                    _add(use.requests, self._second(row.started), 1)

    def add(self, rows: Sequence[Spent]) -> None:
        """Add exchanges that are neither in sums nor in the last minutes'."""
        self.add_sums(PastSum(row.key, row.deployment, row.ended, row.tokens) for row in rows)
        self.add_recent(rows)

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
