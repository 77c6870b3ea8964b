"""Waits until processes that were just started do nothing by themselves any more."""

from __future__ import annotations

import time
from collections.abc import Collection

from bench.accounts import cpu_ns

__all__ = ["wait_for_rest"]

#: Seconds after its start in which a process still prepares: the proxy starts its planners' parent
#: after three, which takes 0.4 s of CPU.
_STARTING_S = 5.0
#: A process is at rest if it used less of a core than this for so many seconds.
_REST_SHARE, _REST_S = 0.05, 0.5
_REST_LIMIT_S = 20.0


def wait_for_rest(pids: Collection[int], started: float) -> None:
    """``started``: when the last of them was started, by ``time.monotonic``. Returns after 20 s at
    the latest."""
    time.sleep(max(0.0, started + _STARTING_S - time.monotonic()))
    until = time.monotonic() + _REST_LIMIT_S
    while time.monotonic() < until:
        before = {pid: cpu_ns(pid) for pid in pids}
        time.sleep(_REST_S)
        most = _REST_S * _REST_SHARE * 1e9
        if all(cpu_ns(pid) - ns < most for pid, ns in before.items()):
            return
