"""Which keys and deployments are counted: those with limits, and those whose use was asked for."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from casedesk_proxy.limits.book import Book
from casedesk_proxy.limits.past import ScopeName
from casedesk_proxy.limits.use import Use
from casedesk_proxy.pools.caps import Seats
from casedesk_proxy.server.metering import Scope
from casedesk_proxy.terms import UseRules

__all__ = ["CountedScopes"]

#: Keys and deployments that are checked in one round of the loop: half a millisecond if all are
#: new.
_MAX_STEP_SCOPES = 200


class CountedScopes:
    """``by_name`` has those with limits and those where requests with limits run, ``book`` what all
    of them use. ``begin_anew`` is called for each new one, whose earlier use is in the ledger;
    ``has_ledger``: whether there is one.

    Exchanges that began up to ``unmetered_until``, by the loop's clock, may count where their meter
    does not: something is counted since that has no limit, or got one later. ``changed`` is called
    if meters may count for something that is not counted any more, ``widened`` if more requests may
    run at once.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        book: Book,
        begin_anew: Callable[[], None],
        changed: Callable[[], None],
        widened: Callable[[], None],
        *,
        has_ledger: bool,
    ) -> None:
        self._loop = loop
        self._book = book
        self._begin_anew = begin_anew
        self._changed = changed
        self._widened = widened
        self._has_ledger = has_ledger
        self.by_name: dict[ScopeName, Scope] = {}
        self.unmetered_until = -math.inf
        #: Active limits that are still to be opened, and the scopes of those that are open.
        self._unopened: Iterator[UseRules] = iter(())
        self._limited: set[ScopeName] = set()

    def apply(self, limits: Iterator[UseRules]) -> None:
        """These are the active ones from now on. There may be ten thousand keys: streams run in
        between."""
        self._unopened, self._limited = limits, set()
        self._open_some(limits)

    def open_rest(self) -> None:
        """Open those that are still to be opened, at once."""
        self._open(self._unopened)

    def find(self, rules: UseRules) -> tuple[Scope, Use]:
        """What counts them, from now on if it did not before."""
        which = rules.kind, rules.name
        scope, use = self.by_name.get(which), self._book.find(*which)
        if scope is None:
            scope = self.by_name[which] = Scope(*which)
        if use is None:
            use = self._book.open(*which)
            since = self._loop.time() if which in self._limited else math.inf
            self.unmetered_until = max(self.unmetered_until, since)
            self._begin_anew()
        return scope, use

    def show(self, kind: str, name: str) -> None:
        """Count it, though it may have no limits. Its earlier use has to be read."""
        self._book.open(kind, name)
        self.unmetered_until = math.inf

    def list_begun(self, which: ScopeName) -> list[float]:
        """When the requests that run there began."""
        scope = self.by_name.get(which)
        return [] if scope is None else [one.started for one in scope.running]

    def _open_some(self, limits: Iterator[UseRules]) -> None:
        if limits is not self._unopened:
            return
        if self._open(islice(limits, _MAX_STEP_SCOPES)) == _MAX_STEP_SCOPES:
            self._loop.call_soon(self._open_some, limits)
        else:
            self._close_others()

    def _open(self, some: Iterable[UseRules]) -> int:
        count = 0
        for rules in some:
            self._limited.add((rules.kind, rules.name))
            scope, _ = self.find(rules)
            self._set_most(scope.seats, math.inf if rules.parallel is None else rules.parallel)
            count += 1
        return count

    def _set_most(self, seats: Seats, most: float) -> None:
        """Requests may already wait for a seat, because of the earlier limit."""
        before, seats.most = seats.most, most
        if before < most:
            self._widened()

    def _close_others(self) -> None:
        """Stop counting scopes that have no limit any more: if they get one again, the ledger has
        their use. Without a ledger they are counted all the same."""
        others = self._book.scopes - self._limited
        self.unmetered_until = self._loop.time()
        for which in self.by_name.keys() - self._limited:
            scope = self.by_name[which]
            self._set_most(scope.seats, math.inf)
            if self._has_ledger and not (scope.running or scope.seats.taken):
                del self.by_name[which]
        if others and not self._has_ledger:
            self.unmetered_until = math.inf
        elif others:
            for which in others:
                self._book.close(*which)
            self._changed()
