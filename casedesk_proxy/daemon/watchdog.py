"""Regular notifications to the service manager: a ping, the status, and more time while
draining."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from casedesk_proxy.daemon.logs import LogHandler
from casedesk_proxy.daemon.notify import Notifier

__all__ = ["Watchdog"]

#: Seconds between two pings, unless the manager's timeout requires a shorter period.
_PING_PERIOD_S = 5.0
#: How many pings may be missed before the manager acts.
_MAX_MISSED_PINGS = 3


class Watchdog:
    """Pings only on the event loop's own timer: a blocked loop stops it, and the manager's watchdog
    acts."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        notifier: Notifier,
        timeout_s: float | None,
        status: Callable[[], str],
        log: LogHandler | None = None,
    ) -> None:
        """``timeout_s``: the manager's, None if it has no watchdog; ``status`` returns
        one line for people."""
        self._loop = loop
        self._notifier = notifier
        self._timeout_s = timeout_s
        self._period_s = _PING_PERIOD_S
        if timeout_s is not None:
            self._period_s = min(_PING_PERIOD_S, timeout_s / _MAX_MISSED_PINGS)
        self._status = status
        self._log = log
        self._sent_status = ""
        self._timer: asyncio.TimerHandle | None = None
        #: While set, each ping asks the manager for more time to stop.
        self.draining = False

    def ping(self) -> None:
        """Notify the manager now, and then regularly until `stop`."""
        self.stop()
        lines = []
        if self._timeout_s is not None:
            lines.append("WATCHDOG=1")
        if self.draining:
            # The time counts from its arrival, whatever TimeoutStopSec is.
            lines.append(f"EXTEND_TIMEOUT_USEC={int((self._period_s * _MAX_MISSED_PINGS) * 1e6)}")
        status = self._status()
        if status != self._sent_status:
            self._sent_status = status
            lines.append(f"STATUS={status}")
        self._notifier.send(*lines)
        if self._log is not None:
            self._log.log_suppressed(time.time())
        self._timer = self._loop.call_later(self._period_s, self.ping)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
