"""Notices that the configuration file was edited, for ``server.watch: true``.

Looked at once a second instead of by inotify: editors replace files by rename, configuration
management swaps symbolic links to whole folders, and network file systems tell nobody; what
``stat`` says of the path covers all of these.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

__all__ = ["FileWatch"]

_PERIOD = 1.0

#: What tells two states of a file apart; None while there is none.
_State = tuple[int, int, int, int] | None


class FileWatch:
    """Calls ``changed`` once for each edit, when the file has been the same for one period, so
    that one being written is left alone."""

    def __init__(self, path: Path, changed: Callable[[], None], period: float = _PERIOD) -> None:
        self._path = path
        self._changed = changed
        self._period = period
        self._seen = self._known = self._look()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._timer is None:
            self._seen = self._known = self._look()
            self._wait()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._period, self._check)

    def _check(self) -> None:
        state = self._look()
        if state is not None and state != self._known and state == self._seen:
            self._known = state
            self._changed()
        self._seen = state
        self._wait()

    def _look(self) -> _State:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_dev, status.st_ino
