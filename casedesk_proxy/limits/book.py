"""What keys and deployments have used, from the ledger and from this process.

The ledger is authoritative: what it contains when a process begins is what has been used. From then
on the process counts its own exchanges as they end, and from the ledger's new rows those of others.
Its own exchanges also appear as rows, and are recognised by their request ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from casedesk_proxy.limits.past import Ended, Past, ScopeName, Spent
from casedesk_proxy.limits.use import PastUse, Use
from casedesk_proxy.limits.windows import Calendar, Moment

__all__ = ["Book"]

#: Ids of exchanges whose rows are awaited. A row that arrives after so many others counts twice;
#: the state file's writer keeps at most as many rows.
_MAX_AWAITED_IDS = 200_000
#: Scopes, and awaited rows, that `Book.replace` processes in one step: a millisecond of each.
_MAX_STEP_SCOPES, _MAX_STEP_ROWS = 200, 500
_NEVER_USED = PastUse()


class Book:
    """``calendar`` defines days and months. Only opened scopes are counted; they are named by their
    kind, key or deployment, and their name. ``awaited``: by request, exchanges of this process that
    have ended and are counted, and whose rows are not in the ledger yet. Code that adds to it must
    regularly call `bound`."""

    __slots__ = ("_uses", "awaited", "calendar")

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self._uses: dict[ScopeName, Use] = {}
        self.awaited: dict[str, Ended] = {}

    @property
    def is_empty(self) -> bool:
        return not self._uses

    @property
    def scopes(self) -> frozenset[ScopeName]:
        """All opened scopes."""
        return frozenset(self._uses)

    def find(self, kind: str, name: str) -> Use | None:
        return self._uses.get((kind, name))

    def open(self, kind: str, name: str) -> Use:
        """The use of a scope from now on, to which `replace` adds the past: always the same
        object."""
        use = self._uses.get((kind, name))
        if use is None:
            use = self._uses[kind, name] = Use()
        return use

    def bound(self) -> None:
        """Drop the oldest if too many rows are awaited."""
        beyond = len(self.awaited) - _MAX_AWAITED_IDS
        for request in list(islice(self.awaited, max(beyond, 0))):
            del self.awaited[request]

    def forget(self, requests: Iterable[str]) -> None:
        """Rows of this process's own exchanges are in the ledger, and will not be passed to
        `take`."""
        for request in requests:
            self.awaited.pop(request, None)

    def take(self, rows: Iterable[Spent], now: Moment) -> None:
        """Count the ledger's new rows."""
        for row in rows:
            if self.awaited.pop(row.request, None) is None:
                for which in row.scopes:
                    if (use := self._uses.get(which)) is not None:
                        self._add(use, row, now)

    def replace(
        self, past: Past, running: Callable[[ScopeName], Iterable[float]], now: Callable[[], Moment]
    ) -> Iterator[None]:
        """Start again from the ledger, some scopes at each step: between two steps requests may be
        admitted and exchanges may end. ``running``: when a scope's running requests began, by the
        steady clock."""
        for request in [one for one in self.awaited if one in past.requests]:
            del self.awaited[request]
        known = list(self.awaited.values())
        waiting: dict[ScopeName, list[Spent]] = {}
        for start in range(0, len(known), _MAX_STEP_ROWS):
            _sort_in(waiting, known[start : start + _MAX_STEP_ROWS])
            yield
        scopes = list(self._uses)
        for start in range(0, len(scopes), _MAX_STEP_SCOPES):
            late: dict[ScopeName, list[Spent]] = {}
            _sort_in(late, self._list_later(known))
            at = now()
            for which in scopes[start : start + _MAX_STEP_SCOPES]:
                use = self._uses[which]
                use.replace(past.uses.get(which, _NEVER_USED))
                for row in (*waiting.get(which, ()), *late.get(which, ())):
                    self._add(use, row, at)
                for started in running(which):
                    use.add_request(at.steady, started)
            yield

    def _list_later(self, known: Sequence[Ended]) -> list[Ended]:
        """The awaited exchanges that were not awaited yet when the last of them were ``known``."""
        last, later = known[-1] if known else None, list[Ended]()
        for row in reversed(self.awaited.values()):
            if row is last:
                break
            later.append(row)
        return later

    def _add(self, use: Use, row: Spent, now: Moment) -> None:
        use.add_past(self.calendar.today(row.ended), row.tokens)
        use.add_recent(now.steady, row.tokens, now.steady_at(row.ended))
        if row.asked:
            use.add_request(now.steady, now.steady_at(row.started))


def _sort_in(found: dict[ScopeName, list[Spent]], ended: Iterable[Ended]) -> None:
    for names, tokens, begin, end, ahead, node in ended:
        row = Spent("", names.key, names.deployment, tokens, begin + ahead, end + ahead, node != "")
        for which in row.scopes:
            found.setdefault(which, []).append(row)
