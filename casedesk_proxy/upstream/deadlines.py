"""Deadlines of awaited one-shots: one timer for all, since one timer for each would cost 2 µs a
request."""

from __future__ import annotations

import asyncio
from typing import Any

from casedesk_proxy.fastpath.fibers import OneShot

__all__ = ["LATE_TIMER_GRACE_S", "LATE_TIMER_S", "Deadlines"]

#: Seconds by which a timer fires too late after the loop or the machine stalled. What is awaited
#: may have arrived meanwhile and is read after timers, so the decision waits for one round of the
#: loop.
LATE_TIMER_S = 0.05
LATE_TIMER_GRACE_S = 0.02


class Deadlines:
    """Fails one-shots with TimeoutError at their deadlines. Nearly all are discarded long before
    that. So the deadlines are in a dict, and when the timer fires it searches for those that have
    passed."""

    __slots__ = ("_due", "_late", "_loop", "_timer", "_when")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: dict[OneShot[Any], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._when = float("inf")
        self._late = False

    def add(self, one_shot: OneShot[Any], timeout_s: float) -> None:
        """Infinity: no deadline."""
        if timeout_s == float("inf"):
            return
        self._due[one_shot] = when = self._loop.time() + timeout_s
        if self._timer is None or when < self._when:
            self._arm(when)

    def discard(self, one_shot: OneShot[Any]) -> None:
        self._due.pop(one_shot, None)

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._when = when
        self._timer = self._loop.call_at(when, self._check)

    def _check(self) -> None:
        self._timer = None
        now = self._loop.time()
        self._late = now - self._when > LATE_TIMER_S and not self._late
        if self._late:
            self._arm(now + LATE_TIMER_GRACE_S)
            return
        for one_shot in [due for due, when in self._due.items() if when <= now]:
            if self._due.pop(one_shot, None) is not None and not one_shot.done:
                one_shot.fail(TimeoutError())
        if self._due and self._timer is None:
            self._arm(min(self._due.values()))
