"""The regular word to the service manager: alive, what is going on, more time while draining."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from casedesk_proxy.daemon.logs import Log
from casedesk_proxy.daemon.notify import Notifier

__all__ = ["Heart"]

#: Seconds between two beats where the watchdog asks for no shorter ones.
_PERIOD = 5.0
#: Beats that may be missed before the manager acts.
_SPARE = 3


class Heart:
    """Beats on the event loop's own timer and nowhere else: a loop that is blocked stops it, and
    the manager's watchdog does what it is for."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        notifier: Notifier,
        watchdog: float | None,
        status: Callable[[], str],
        log: Log | None = None,
    ) -> None:
        """``watchdog`` in seconds; ``status`` gives one line for people."""
        self._loop = loop
        self._notifier = notifier
        self._watchdog = watchdog
        self._period = _PERIOD if watchdog is None else min(_PERIOD, watchdog / _SPARE)
        self._status = status
        self._log = log
        self._told = ""
        self._timer: asyncio.TimerHandle | None = None
        #: While set, each beat asks the manager for more time to stop.
        self.draining = False

    def beat(self) -> None:
        """Say what there is to say now, and go on doing so until `stop`."""
        self.stop()
        lines = []
        if self._watchdog is not None:
            lines.append("WATCHDOG=1")
        if self.draining:
            # From the moment that it is received, whatever TimeoutStopSec says.
            lines.append(f"EXTEND_TIMEOUT_USEC={int((self._period * _SPARE) * 1e6)}")
        status = self._status()
        if status != self._told:
            self._told = status
            lines.append(f"STATUS={status}")
        self._notifier.tell(*lines)
        if self._log is not None:
            self._log.tell_held(time.time())
        self._timer = self._loop.call_later(self._period, self.beat)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
