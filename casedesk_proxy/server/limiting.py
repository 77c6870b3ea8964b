"""Active limits: which requests are admitted, and what the admitted ones use.

Nothing here is done for an event of a stream. A request whose key and deployment have no limits
only costs a check of its admission.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

from casedesk_proxy.errors import Unauthenticated
from casedesk_proxy.limits.book import Book
from casedesk_proxy.limits.judging import (
    count_used,
    find_reached,
    find_tightest,
    find_warned,
    list_standings,
    refuse,
)
from casedesk_proxy.limits.past import Spent
from casedesk_proxy.limits.use import Use, count_tokens
from casedesk_proxy.limits.windows import Calendar, Moment, Second
from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.replying.heads import as_lines
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.server.counted_scopes import CountedScopes
from casedesk_proxy.server.following import Follower, PastReader
from casedesk_proxy.server.metering import Meter, UnderWay
from casedesk_proxy.snapshot import Current
from casedesk_proxy.surfaces.limits import limit_headers, warning_headers
from casedesk_proxy.terms import Limit, Standing, UseRules
from casedesk_proxy.wording import spell_time

__all__ = ["Limiter"]

log = logging.getLogger(__name__)

#: Limits of a scope, its use, the use that each limit counts, and whether none of them is passed.
_Counted = tuple[UseRules, Use, Sequence[int], bool]
#: Pairs of limits of a key and a deployment; if there are more, all are made again.
_MAX_METERS = 10_000


class Limiter:
    """Call ``admit`` for each request with limits, ``end`` for each that was admitted, and
    ``end_unmetered`` for each other that began before ``scopes.unmetered_until``. ``past``: the
    ledger; None: earlier use and others' use are not known. ``serve_waiting`` is called if requests
    that wait for slots may get one. ``refused`` and ``warned`` count by kind, name and limit."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        current: Current,
        past: PastReader | None = None,
        *,
        serve_waiting: Callable[[], None] = lambda: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._loop = loop
        self._current = current
        self._wall = wall
        self._zone = current.snapshot.time_zone
        self._book = Book(Calendar(self._zone))
        #: Meters by the identity of the limits.
        self._meters: dict[int, Meter] = {}
        #: The current second, or the last in which something was counted.
        self._second = Second.at(self.now())
        self._is_entered = past is not None
        self.scopes = CountedScopes(
            loop, self._book, lambda: self.follower.begin_anew(), self._meters.clear,
            serve_waiting, has_ledger=self._is_entered,
        )  # fmt: skip
        self.follower = Follower(self._book, past, self.now, self.scopes.list_begun)
        self.refused: Counter[tuple[str, str, str]] = Counter()
        self.warned: Counter[tuple[str, str, str]] = Counter()

    def now(self) -> Moment:
        wall = self._wall()
        return Moment(self._loop.time(), wall, self._book.calendar.today(wall))

    def apply(self) -> None:
        """Another configuration is active, or the first one."""
        snapshot = self._current.snapshot
        if snapshot.time_zone != self._zone:
            # The earlier use is known by the days of another calendar.
            self._zone = snapshot.time_zone
            self._meters.clear()
            self._book.calendar = Calendar(self._zone)
            self._second = Second.at(self.now())
            self.follower.begin_anew()
        self.scopes.apply(snapshot.all_limits)

    async def start(self) -> None:
        """Read the earlier use."""
        self.scopes.open_rest()
        await self.follower.start()

    def take_keys(self) -> None:
        """Other keys are in the state file. The earlier use of keys with limits, possibly at
        another instance, is read before they send requests here."""
        self.scopes.apply(self._current.snapshot.all_limits)

    def admit(self, request: ClientRequest, one: UnderWay, admitted: Admitted) -> Meter | None:
        """What counts ``one``, which has just begun; None if nothing has to be counted. Raises
        LimitReached, and Unauthenticated for a key that has expired."""
        if admitted.expires is not None and self._wall() >= admitted.expires:
            since = spell_time(admitted.expires)
            raise Unauthenticated(
                f"the key expired on {since}; ask for a new one", code="key_expired"
            )
        limits, surface = admitted.counted, admitted.facts.surface
        meter = self._meters.get(id(limits))
        if meter is not None and (calm := meter.calm.get(surface)) is not None:
            notes = calm.begin(one)
            if notes is not None:
                request.notes = notes
                return meter
        if not limits:
            return None
        if meter is None:
            meter = self._make_meter(limits)
        second = self._second
        if one.started >= second.until:
            second = self._begin_second()
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
        if record.started <= self.scopes.unmetered_until:
            self.end_unmetered(record, meter)

    def end_unmetered(self, record: ExchangeRecord, meter: Meter | None = None) -> None:
        """Count the use of an exchange that began before `CountedScopes.unmetered_until`, where its
        ``meter`` does not."""
        tokens = count_tokens(record.usage)
        if record.summed_up or not (tokens or record.node):
            return
        second, known = self._second, () if meter is None else meter.counts
        times = record.started + second.ahead, record.ended + second.ahead
        row = Spent(record.key, record.deployment, tokens, *times, record.node != "")
        for which in row.scopes:
            use = self._book.find(*which)
            if use is not None and all(use is not one for one, _ in known):
                self._book.add(row, (which,), self.now())

    def _begin_second(self) -> Second:
        self._second = second = Second.at(self.now())
        return second

    def list_standings(self, limits: Sequence[UseRules]) -> list[Standing]:
        """How limits stand now, those on parallel requests included."""
        now, found = self.now(), []
        for rules in limits:
            scope, use = self.scopes.find(rules)
            used, _ = count_used(rules, use, scope.produced(now.steady), now)
            found += list_standings(rules, use, used, now)
            if (most := rules.parallel) is not None:
                running = len(scope.running)
                found.append(
                    Standing(Limit.PARALLEL, rules.kind, rules.name, most, None, running, now.wall)
                )
        return found

    def list_all(self, most: int) -> list[Standing]:
        """The standings of the first ``most`` keys and deployments with limits."""
        return self.list_standings(tuple(islice(self._current.snapshot.all_limits, most)))

    def count_refusal(self, standing: Standing) -> None:
        self.refused[standing.kind, standing.name, standing.limit] += 1

    async def find_use(self, kind: str, name: str) -> Use | None:
        """What a key or a deployment has used, limited or not; None if that is unknown, or is not
        read within some seconds."""
        use = self._book.find(kind, name)
        if use is None and self._is_entered:
            self.scopes.show(kind, name)
            # A read that was running began without the scope.
            if not await self.follower.read_now():
                return None
            use = self._book.find(kind, name)
            if use is None and await self.follower.read_now():
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
            scope, day = self.scopes.by_name[one.kind, one.name], now.today.day.name
            if scope.warned_on.get(one.limit) != day:
                scope.warned_on[one.limit] = day
                log.warning(
                    "%s %s is beyond its soft limit %s: %d of %s",
                    one.kind, one.name, one.limit, one.used, one.soft,
                )  # fmt: skip

    def _make_meter(self, limits: Sequence[UseRules]) -> Meter:
        if len(self._meters) >= _MAX_METERS:
            self._meters.clear()
        parts = [(rules, *self.scopes.find(rules)) for rules in limits]
        # It holds the limits, so that no other object gets their identity.
        meter = self._meters[id(limits)] = Meter(limits, parts, self._recheck)
        return meter


def _with_this_one(standing: Standing) -> Standing:
    """The limit after this request has been counted."""
    if standing.limit is not Limit.REQUESTS_PER_MINUTE:
        return standing
    return replace(standing, used=standing.used + 1)
