"""Whether file descriptors are left for clients and nodes.

Without one the loop closes the next client's connection (libuv keeps a spare descriptor for that)
and reports nothing; so this module tries regularly to open one.
"""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Callable

from casedesk_proxy.upstream.descriptors import are_used_up

__all__ = ["DescriptorMonitor"]

log = logging.getLogger(__name__)

#: Seconds between two log lines while the shortage lasts.
_REPORT_INTERVAL_S = 30.0


class DescriptorMonitor:
    """Call ``look`` about twice a second; ``count`` is called each time that no descriptor was
    left."""

    __slots__ = ("_count", "_now", "_reported_at", "_used_up")

    def __init__(self, count: Callable[[], None], now: Callable[[], float]) -> None:
        self._count = count
        self._now = now
        self._used_up = False
        self._reported_at = 0.0

    def look(self) -> None:
        try:
            os.close(os.open("/", os.O_PATH | os.O_CLOEXEC))
        except OSError as error:
            if are_used_up(error):
                self._report()
            return
        if self._used_up:
            self._used_up = False
            log.warning("file descriptors are available again; clients can connect")

    def _report(self) -> None:
        self._count()
        if self._used_up and self._now() - self._reported_at < _REPORT_INTERVAL_S:
            return
        self._used_up, self._reported_at = True, self._now()
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        log.error(
            "all %d file descriptors are in use, so new clients are dropped and nodes cannot be"
            " reached; raise the limit (LimitNOFILE= in the unit, ulimit -n in a shell)",
            most,
        )
