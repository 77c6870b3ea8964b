"""A few threads that wait for disks, so that the event loop never does.

They are daemon threads, unlike an executor's: a thread that hangs in a disk does not delay the end
of the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

__all__ = ["DiskThreads"]

T = TypeVar("T")

#: More threads make one disk no faster.
_MAX_THREADS = 4


class DiskThreads:
    """Started when there is work for them. ``close`` must be called."""

    def __init__(self, most: int = _MAX_THREADS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._started = 0
        self._work: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """The result of ``work``. Also after `close`: the last uploads must still be closed, and
        not by the event loop."""
        future: Future[T] = Future()
        with self._lock:
            if self._started < self._most:
                self._started += 1
                threading.Thread(target=self._run, name="files", daemon=True).start()
        self._work.put((work, future))
        return future

    def close(self) -> None:
        """Idle threads end; this waits for none."""
        with self._lock:
            for _ in range(self._started):
                self._work.put(None)
            self._started = 0

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            _do(*item)
            # Its result is not kept until there is more work.
            del item


def _do(work: Callable[[], Any], future: Future[Any]) -> None:
    """Run it even if its future was cancelled: it may release something."""
    is_wanted = future.set_running_or_notify_cancel()
    try:
        result = work()
    except BaseException as error:
        if is_wanted:
            future.set_exception(error)
    else:
        if is_wanted:
            future.set_result(result)
