"""How late the event loop runs scheduled callbacks: the delay that every stream has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["LoopLagMonitor"]

_PERIOD_S = 0.5


class LoopLagMonitor:
    """A timer that measures its own delay: ``observe`` gets seconds of delay, twice a second.

    Uses the monotonic clock and not the loop's, which does not advance while the loop is busy. It
    runs at whole multiples of its period by the loop's clock, as the prober does, so that an idle
    process wakes once for both.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, observe: Callable[[float], None]) -> None:
        self._loop = loop
        self._observe = observe
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        wait = _PERIOD_S - self._loop.time() % _PERIOD_S
        self._due = time.monotonic() + wait
        self._timer = self._loop.call_later(wait, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        self._observe(max(time.monotonic() - self._due, 0.0))
        self.start()
