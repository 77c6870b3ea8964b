"""What keys and deployments have used, from the ledger and from this process.

The ledger is authoritative: what it contains when a process begins is what has been used. From then
on the process counts its own exchanges as they end, and from the ledger's new rows those of others;
its own rows are not read. Nothing is kept of an exchange but the sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from casedesk_proxy.limits.past import Past, ScopeName, Spent
from casedesk_proxy.limits.use import PastUse, Use
from casedesk_proxy.limits.windows import Calendar, Moment

__all__ = ["Book"]

#: Scopes that `Book.replace` processes in one step: a millisecond.
_MAX_STEP_SCOPES = 200
_NEVER_USED = PastUse()


class Book:
    """``calendar`` defines days and months. Only opened scopes are counted; they are named by their
    kind, key or deployment, and their name."""

    __slots__ = ("_uses", "calendar")

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self._uses: dict[ScopeName, Use] = {}

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
        object, until it is closed."""
        use = self._uses.get((kind, name))
        if use is None:
            use = self._uses[kind, name] = Use()
        return use

    def close(self, kind: str, name: str) -> None:
        self._uses.pop((kind, name), None)

    def take(self, rows: Iterable[Spent], now: Moment) -> None:
        """Count what others have added to the ledger."""
        for row in rows:
            self.add(row, row.scopes, now)

    def add(self, row: Spent, scopes: Iterable[ScopeName], now: Moment) -> None:
        """Count an exchange in those of the scopes that are open."""
        for which in scopes:
            if (use := self._uses.get(which)) is not None:
                self._add(use, row, now)

    def replace(
        self,
        past: Past,
        running: Callable[[ScopeName], Iterable[float]],
        list_ended: Callable[[int], tuple[int, Sequence[Spent]]],
        now: Callable[[], Moment],
    ) -> Iterator[None]:
        """Start again from the ledger, some scopes at each step: between two steps requests may be
        admitted and exchanges may end. ``running``: when a scope's running requests began, by the
        steady clock. ``list_ended``: this process's exchanges from a place on, and the next
        place."""
        scopes, place, ended = list(self._uses), past.place, dict[ScopeName, list[Spent]]()
        for start in range(0, len(scopes), _MAX_STEP_SCOPES):
            place, later = list_ended(place)
            for row in later:
                for which in row.scopes:
                    ended.setdefault(which, []).append(row)
            at = now()
            for which in scopes[start : start + _MAX_STEP_SCOPES]:
                if (use := self._uses.get(which)) is None:
                    continue  # closed meanwhile
                use.replace(past.uses.get(which, _NEVER_USED))
                for row in ended.get(which, ()):
                    self._add(use, row, at)
                for started in running(which):
                    use.add_request(at.steady, started)
            yield

    def _add(self, use: Use, row: Spent, now: Moment) -> None:
        use.add_past(self.calendar.today(row.ended), row.tokens)
        use.add_recent(now.steady, row.tokens, now.steady_at(row.ended))
        if row.asked:
            use.add_request(now.steady, now.steady_at(row.started))
