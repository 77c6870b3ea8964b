"""Active limits: which requests are admitted, and what the admitted ones use.

Nothing here is done for an event of a stream. A request whose key and deployment have no limits
only costs a check of its admission.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from casedesk_proxy.errors import Unauthenticated
from casedesk_proxy.keystore.table import spell_time
from casedesk_proxy.limits.book import Book
from casedesk_proxy.limits.judging import (
    count_used,
    find_reached,
    find_tightest,
    find_warned,
    list_standings,
    refuse,
)
from casedesk_proxy.limits.past import ScopeName
from casedesk_proxy.limits.use import Use
from casedesk_proxy.limits.windows import Calendar, Moment, Second
from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.replying.heads import as_lines
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.server.following import Follower, PastReader
from casedesk_proxy.server.metering import Meter, Scope, UnderWay
from casedesk_proxy.snapshot import Current
from casedesk_proxy.surfaces.limits import limit_headers, warning_headers
from casedesk_proxy.terms import Limit, Standing, UseRules

__all__ = ["Limiter"]

log = logging.getLogger(__name__)

#: Limits of a scope, its use, the use that each limit counts, and whether none of them is passed.
_Counted = tuple[UseRules, Use, Sequence[int], bool]
#: Pairs of limits of a key and a deployment; if there are more, all are made again.
_MAX_METERS = 10_000
#: Keys and deployments that are checked in one round of the loop: half a millisecond if all are
#: new.
_MAX_STEP_SCOPES = 200


class Limiter:
    """Call ``admit`` for each request with limits, ``end`` for each that was admitted. ``past``:
    the ledger; None: earlier use and others' use are not known. ``refused`` and ``warned`` count by
    kind, name and limit."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        current: Current,
        past: PastReader | None = None,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._loop = loop
        self._current = current
        self._wall = wall
        self._zone = current.snapshot.time_zone
        self._book = Book(Calendar(self._zone))
        self._awaited = self._book.awaited
        self._scopes: dict[tuple[str, str], Scope] = {}
        #: Meters by the identity of the limits.
        self._meters: dict[int, Meter] = {}
        #: The current second, or the last in which something was counted.
        self._second = Second.at(self.now())
        #: Active limits whose earlier use may not have been read.
        self._unopened: Iterator[UseRules] = iter(())
        self._is_entered = past is not None
        self.follower = Follower(self._book, past, self.now, self._list_begun)
        self.refused: Counter[tuple[str, str, str]] = Counter()
        self.warned: Counter[tuple[str, str, str]] = Counter()

    def now(self) -> Moment:
        wall = self._wall()
        return Moment(self._loop.time(), wall, self._book.calendar.today(wall))

    @property
    def counted(self) -> Collection[tuple[str, str]]:
        """Kinds and names of those whose use is counted."""
        return self._scopes.keys()

    def apply(self) -> None:
        """Another configuration is active, or the first one."""
        snapshot = self._current.snapshot
        if snapshot.time_zone != self._zone:
            # The earlier use is known by the days of another calendar.
            self._zone = snapshot.time_zone
            self._book.calendar = Calendar(self._zone)
            self._second = Second.at(self.now())
            self.follower.begin_anew()
        self._open_all(snapshot.all_limits)

    async def start(self) -> None:
        """Read the earlier use."""
        for rules in self._unopened:
            self._find(rules)
        await self.follower.start()

    def take_keys(self) -> None:
        """Other keys are in the state file. The earlier use of keys with limits, possibly at
        another instance, is read before they send requests here."""
        self._open_all(self._current.snapshot.all_limits)

    def _open_all(self, unopened: Iterator[UseRules]) -> None:
        self._unopened = unopened
        self._open_some(unopened)

    def _open_some(self, unopened: Iterator[UseRules]) -> None:
        """There may be ten thousand keys: streams run in between."""
        if unopened is not self._unopened:
            return
        some = list(islice(unopened, _MAX_STEP_SCOPES))
        for rules in some:
            self._find(rules)
        if len(some) == _MAX_STEP_SCOPES:
            self._loop.call_soon(self._open_some, unopened)

    def admit(self, request: ClientRequest, one: UnderWay, admitted: Admitted) -> Meter | None:
        """What counts ``one``, which has just begun; None if nothing has to be counted. Raises
        LimitReached, and Unauthenticated for a key that has expired."""
        if admitted.expires is not None and self._wall() >= admitted.expires:
            since = spell_time(admitted.expires)
            raise Unauthenticated(
                f"the key expired on {since}; ask for a new one", code="key_expired"
            )
        limits = admitted.counted
        if not limits:
            return None
        meter = self._meters.get(id(limits)) or self._make_meter(limits)
        second = self._second
        if one.started >= second.until:
            second = self._begin_second()
        surface = admitted.facts.surface
        notes = meter.begin(one, surface, second)
        if notes is None:
            notes = self._judge_and_warn(meter, surface, second)
            meter.count(one)
        request.notes = notes
        return meter

    def end(self, one: UnderWay, meter: Meter, record: ExchangeRecord) -> None:
        """Its use counts, whatever its result was."""
        second, ended, usage = self._second, record.ended, record.usage
        if ended >= second.until:
            second = self._begin_second()
        tokens = (usage.prompt or 0) + (usage.output or 0)
        for use, running in meter.counts:
            if use.second is not second:
                use.enter(second)
            use.spent += tokens
            running.discard(one)
        if self._is_entered and not record.summed_up:
            self._awaited[record.request_id] = (
                one.call, tokens, record.started, ended, second.ahead, record.node,
            )  # fmt: skip

    def _begin_second(self) -> Second:
        self._second = second = Second.at(self.now())
        self._book.bound()
        return second

    def list_standings(self, limits: Sequence[UseRules]) -> list[Standing]:
        """How limits stand now, those on parallel requests included."""
        now, found = self.now(), []
        for rules in limits:
            scope, use = self._find(rules)
            used, _ = count_used(rules, use, scope.produced(now.steady), now)
            found += list_standings(rules, use, used, now)
            if (most := rules.parallel) is not None:
                running = len(scope.running)
                found.append(
                    Standing(Limit.PARALLEL, rules.kind, rules.name, most, None, running, now.wall)
                )
        return found

    def list_all(self, most: int) -> list[Standing]:
        """Of the first ``most`` keys and deployments with limits."""
        return self.list_standings(tuple(islice(self._current.snapshot.all_limits, most)))

    def count_refusal(self, standing: Standing) -> None:
        self.refused[standing.kind, standing.name, standing.limit] += 1

    async def find_use(self, kind: str, name: str) -> Use | None:
        """What a key or a deployment has used, limited or not; None if that is unknown."""
        use = self._book.find(kind, name)
        if use is None and self._is_entered:
            self._book.open(kind, name)
            await self.follower.read_past()
            use = self._book.find(kind, name)
        return use

    def _judge(self, meter: Meter, now: Moment, *, waited: bool = False) -> list[_Counted]:
        """The use in each scope. Raises LimitReached."""
        found: list[_Counted] = []
        for gauge, scope, are_tokens in meter.parts:
            rules, use = gauge.rules, gauge.use
            running = scope.produced(now.steady) if are_tokens else 0
            used, calm = count_used(rules, use, running, now)
            if not calm:
                reached = find_reached(list_standings(rules, use, used, now))
                # A request that has waited is already counted in its minute.
                if reached and not (waited and reached.limit is Limit.REQUESTS_PER_MINUTE):
                    raise refuse(reached, use, now)
            found.append((rules, use, used, calm))
        return found

    def _judge_and_warn(self, meter: Meter, surface: str, second: Second) -> bytes:
        """The headers if a limit is reached or a soft one is passed. Raises LimitReached."""
        now = self.now()
        counted = self._judge(meter, now)
        for use, _ in meter.counts:
            if use.second is not second:
                # Not all were read, as one was enough to know that not all is calm.
                use.enter(second)
        tightest = [_with_this_one(standing) for standing in find_tightest(counted, now)]
        headers = limit_headers(surface, tightest, now.wall)
        if warned := self._list_warned(counted, now):
            self._warn(warned, now)
            headers += warning_headers(warned)
        return as_lines(headers)

    def _list_warned(self, counted: Sequence[_Counted], now: Moment) -> list[Standing]:
        return [
            standing
            for rules, use, used, calm in counted
            if not calm
            for standing in find_warned(list_standings(rules, use, used, now))
        ]

    def _recheck(self, meter: Meter) -> None:
        self._judge(meter, self.now(), waited=True)

    def _warn(self, warned: Sequence[Standing], now: Moment) -> None:
        for one in warned:
            self.warned[one.kind, one.name, one.limit] += 1
            scope, day = self._scopes[one.kind, one.name], now.today.day.name
            if scope.warned_on.get(one.limit) != day:
                scope.warned_on[one.limit] = day
                log.warning(
                    "%s %s is beyond its soft limit %s: %d of %s",
                    one.kind, one.name, one.limit, one.used, one.soft,
                )  # fmt: skip

    def _make_meter(self, limits: Sequence[UseRules]) -> Meter:
        if len(self._meters) >= _MAX_METERS:
            self._meters.clear()
        parts = [(rules, *self._find(rules)) for rules in limits]
        # It holds the limits, so that no other object gets their identity.
        meter = self._meters[id(limits)] = Meter(limits, parts, self._recheck)
        return meter

    def _find(self, rules: UseRules) -> tuple[Scope, Use]:
        which = rules.kind, rules.name
        scope = self._scopes.get(which)
        if scope is None:
            scope = self._scopes[which] = Scope(*which)
            # Its earlier use is in the ledger.
            self.follower.begin_anew()
        return scope, self._book.open(*which)

    def _list_begun(self, which: ScopeName) -> list[float]:
        scope = self._scopes.get(which)
        return [] if scope is None else [one.started for one in scope.running]


def _with_this_one(standing: Standing) -> Standing:
    """The limit after this request has been counted."""
    if standing.limit is not Limit.REQUESTS_PER_MINUTE:
        return standing
    return replace(standing, used=standing.used + 1)
