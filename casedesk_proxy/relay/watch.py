"""Watches live relays for silence: of the node, or of a client that stopped reading.

There is one timer for all. Nothing is noted per event: a relay with as many events as at the last
check has been silent since. A limit is therefore accurate to a quarter of itself. Thousands of
relays are checked in slices, between which the loop reads and writes, since even a list of them
costs a cache miss for each.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass

from casedesk_proxy.errors import UpstreamTimeout
from casedesk_proxy.relay.flow import Flow
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.turns import Turns
from casedesk_proxy.upstream.deadlines import LATE_TIMER_GRACE_S, LATE_TIMER_S
from casedesk_proxy.wording import AboutNode

__all__ = ["Watch"]

#: Checks per limit; and the shortest time in seconds between two checks.
_CHECKS_PER_LIMIT = 4
_MIN_CHECK_PERIOD_S = 0.02
#: Seconds of silence after which a reply is checked: only the node's end of message may be missing.
_QUIET_S = 1.0
#: Relays that are checked in one round of the loop; each takes about a microsecond.
_RELAYS_PER_TURN = 250


@dataclass(slots=True)
class _Watched:
    idle_limit_s: float
    stall_limit_s: float
    keepalive_after_s: float
    events: int
    quiet_since: float
    sent: int
    sent_at: float

    @property
    def shortest(self) -> float:
        return min(self.idle_limit_s, self.stall_limit_s, self.keepalive_after_s)


class Watch:
    """Knows every live relay. ``relays`` are for a drain or a status page; relays use ``loop``, and
    ``turns`` to take turns if many end at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, turns: Turns | None = None) -> None:
        self.loop = loop
        self.turns = turns or Turns(loop)
        #: The next to be checked comes first.
        self._watched: OrderedDict[Flow, _Watched] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0
        self._late = False
        #: The number of relays that the current check has not reached yet.
        self._unseen = 0
        #: The shortest limit of all watched relays since this check began.
        self._shortest = float("inf")
        #: What the running counts have found so far: events and bytes.
        self._counts: list[dict[Flow, tuple[int, int]]] = []

    def __len__(self) -> int:
        return len(self._watched)

    @property
    def relays(self) -> list[Flow]:
        return list(self._watched)

    def count_passed(self) -> Generator[None, None, tuple[int, int]]:
        """Events and bytes of all running flows. Counting takes half a microsecond a flow and
        yields after some hundred, so that other code can run. Flows that end meanwhile are left
        out: they are in the counts of ended exchanges, so the sum of both never falls."""
        counted: dict[Flow, tuple[int, int]] = {}
        self._counts.append(counted)
        try:
            for number, relay in enumerate(self.relays, 1):
                if relay in self._watched:
                    counted[relay] = relay.events, relay.sent
                if not number % _RELAYS_PER_TURN:
                    yield
            found = counted.values()
            return sum(events for events, _ in found), sum(sent for _, sent in found)
        finally:
            self._counts.remove(counted)

    def add(
        self,
        relay: Flow,
        idle_limit_s: float,
        stall_limit_s: float,
        keepalive_after_s: float = float("inf"),
    ) -> None:
        """Limits in seconds: the node's silence, the client's while bytes wait for it, and the
        silence towards the client after which it gets a keepalive."""
        now = self.loop.time()
        self._watched[relay] = watched = _Watched(
            idle_limit_s, stall_limit_s, keepalive_after_s, relay.events, now, relay.sent, now
        )
        self._shortest = min(self._shortest, watched.shortest)
        if not self._unseen:
            self._check_by(now + max(watched.shortest / _CHECKS_PER_LIMIT, _MIN_CHECK_PERIOD_S))

    def discard(self, relay: Flow) -> None:
        self._watched.pop(relay, None)
        for counted in self._counts:
            counted.pop(relay, None)

    def _check_by(self, when: float) -> None:
        if self._timer is not None:
            if self._next <= when:
                return
            self._timer.cancel()
        self._next = when
        self._timer = self.loop.call_at(when, self._check)

    def _check(self) -> None:
        self._timer = None
        now = self.loop.time()
        self._late = now - self._next > LATE_TIMER_S and not self._late
        if self._late:
            # See `deadlines`: bytes that arrived during a stall are read after timers.
            self._check_by(now + LATE_TIMER_GRACE_S)
            return
        self._unseen = len(self._watched)
        self._shortest = float("inf")
        self._check_some()

    def _check_some(self) -> None:
        now = self.loop.time()
        count = min(self._unseen, _RELAYS_PER_TURN)
        self._unseen -= count
        for _ in range(count):
            if not self._watched:
                break
            relay, watched = self._watched.popitem(last=False)
            self._watched[relay] = watched
            try:
                self._check_relay(relay, watched, now)
            except Exception:
                # An internal error with one relay must not keep the others from being checked.
                relay.fail()
            self._shortest = min(self._shortest, watched.shortest)
        if self._unseen:
            self.turns.add(self._check_some)
        elif self._watched:
            self._check_by(now + max(self._shortest / _CHECKS_PER_LIMIT, _MIN_CHECK_PERIOD_S))

    def _check_relay(self, relay: Flow, watched: _Watched, now: float) -> None:
        if relay.paused_at is not None:
            watched.quiet_since = now
            if now - relay.paused_at >= watched.stall_limit_s:
                relay.leave(Terminal.CLIENT_STALLED)
        elif relay.events != watched.events:
            watched.events = relay.events
            watched.quiet_since = now
        elif now - watched.quiet_since >= min(_QUIET_S, watched.idle_limit_s / _CHECKS_PER_LIMIT):
            self._check_silence(relay, watched, now)
        if relay.sent != watched.sent:
            watched.sent, watched.sent_at = relay.sent, now
        elif now - watched.sent_at >= watched.keepalive_after_s:
            relay.keep_alive()
            watched.sent, watched.sent_at = relay.sent, now

    def _check_silence(self, relay: Flow, watched: _Watched, now: float) -> None:
        # A complete answer needs nothing more from its node.
        relay.conclude()
        if relay.terminal is None and now - watched.quiet_since >= watched.idle_limit_s:
            relay.cut(
                Terminal.TIMED_OUT,
                UpstreamTimeout(
                    AboutNode(
                        "stopped sending in the middle of its reply (idle_timeout); try again, and"
                        " look into the node's log"
                    )
                ),
            )
