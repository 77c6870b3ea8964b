"""A few threads that wait for disks, so that the event loop never does.

They are daemons, unlike an executor's: one that hangs in a disk does not hold up the process's end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

__all__ = ["DiskThreads"]

T = TypeVar("T")

#: More of them make one disk no faster.
_MAX_THREADS = 4


class DiskThreads:
    """Started as there is work for them. ``close`` must be called."""

    def __init__(self, most: int = _MAX_THREADS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._started = 0
        self._work: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """What it returns or raises. Also once they are closed: what is let go of last has to be
        done, too, and not by a loop."""
        future: Future[T] = Future()
        with self._lock:
            if self._started < self._most:
                self._started += 1
                threading.Thread(target=self._run, name="files", daemon=True).start()
        self._work.put((work, future))
        return future

    def close(self) -> None:
        """Those that have nothing to do end; nobody waits for the others."""
        with self._lock:
            for _ in range(self._started):
                self._work.put(None)
            self._started = 0

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            _do(*item)
            # What it made is not kept until there is more to do.
            del item


def _do(work: Callable[[], Any], future: Future[Any]) -> None:
    """Also where nobody waits for it any more: it may be what frees something."""
    is_wanted = future.set_running_or_notify_cancel()
    try:
        result = work()
    except BaseException as error:
        if is_wanted:
            future.set_exception(error)
    else:
        if is_wanted:
            future.set_result(result)
