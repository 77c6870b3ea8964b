"""What keys and deployments have used, put together from the ledger and from this process.

The ledger is the truth: what it holds when a process begins is what has been used. From then on the
process counts its own exchanges as they end, and of the ledger's new rows those that others wrote.
Its own come back as rows, too, and are known by their request ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from casedesk_proxy.limits.use import Use
from casedesk_proxy.limits.windows import Calendar, Moment
from casedesk_proxy.terms import record

__all__ = ["Book", "Past", "PastSum", "Spent"]

#: Ids of exchanges whose rows are waited for. A row that comes behind so many others counts twice;
#: the state file's writer keeps as many rows at most.
_MAX_AWAITED_IDS = 200_000


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


@record
class PastSum:
    """What exchanges that ended at about ``when``, so that they are of one day, used together."""

    key: str
    deployment: str
    when: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Past:
    """What the ledger holds: ``sums`` of all that counts for this month, and by themselves the
    exchanges of the last minutes, which the sums contain."""

    sums: Sequence[PastSum]
    recent: Sequence[Spent]


class Book:
    """``calendar`` says what a day and a month are. Only scopes that were opened are counted; they
    are named by their kind, key or deployment, and their name."""

    __slots__ = ("_awaited", "_uses", "calendar")

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self._uses: dict[tuple[str, str], Use] = {}
        self._awaited: dict[str, Spent] = {}

    @property
    def is_empty(self) -> bool:
        return not self._uses

    def find(self, kind: str, name: str) -> Use | None:
        return self._uses.get((kind, name))

    def open(self, kind: str, name: str) -> Use:
        """The use of a scope from now on, which `replace` completes by the past: always the same
        one."""
        return self._uses.setdefault((kind, name), Use())

    def expect(self, spent: Spent) -> None:
        """An exchange of this process has ended and is counted; its row goes to the ledger."""
        if len(self._awaited) >= _MAX_AWAITED_IDS:
            del self._awaited[next(iter(self._awaited))]
        self._awaited[spent.request] = spent

    def forget(self, requests: Iterable[str]) -> None:
        """The rows of exchanges of this process are there, and nobody will show them."""
        for request in requests:
            self._awaited.pop(request, None)

    def take(self, rows: Iterable[Spent], now: Moment) -> None:
        """The ledger's new rows."""
        for row in rows:
            if self._awaited.pop(row.request, None) is None:
                self._add(row, now)

    def replace(self, past: Past, running: Iterable[Spent], now: Moment) -> None:
        """Begin anew from the ledger. ``running``: this process's requests that have not ended."""
        for use in self._uses.values():
            use.clear()
        for one in past.sums:
            today = self.calendar.today(one.when)
            for use in self._uses_of(one):
                use.add_past(today, one.tokens)
        for row in past.recent:
            self._awaited.pop(row.request, None)
            self._add_recent(row, now)
        for row in self._awaited.values():
            self._add(row, now)
        for row in running:
            for use in self._uses_of(row):
                use.add_request(now.steady, _steady(row.started, now))

    def _add(self, row: Spent, now: Moment) -> None:
        today = self.calendar.today(row.ended)
        for use in self._uses_of(row):
            use.add_past(today, row.tokens)
        self._add_recent(row, now)

    def _add_recent(self, row: Spent, now: Moment) -> None:
        for use in self._uses_of(row):
            use.add_recent(now.steady, row.tokens, _steady(row.ended, now))
            if row.asked:
                use.add_request(now.steady, _steady(row.started, now))

    def _uses_of(self, one: Spent | PastSum) -> list[Use]:
        uses = self._uses.get(("key", one.key)), self._uses.get(("deployment", one.deployment))
        return [use for use in uses if use is not None]


def _steady(wall: float, now: Moment) -> float:
    """A time by the wall clock as the steady one has it."""
    return now.steady - max(now.wall - wall, 0.0)
