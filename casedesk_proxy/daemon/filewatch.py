"""Notices that the configuration file was edited, for ``server.watch: true``.

The file is checked once a second, not by inotify: editors replace files by rename, configuration
management swaps symbolic links to whole folders, and network file systems send no notice; ``stat``
of the path covers all of these. A thread does it: on a mount that hangs, so would the check.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["FileWatch"]

_PERIOD_S = 1.0

#: Distinguishes two states of a file; None while there is none.
_State = tuple[int, int, int, int] | None


class FileWatch:
    """Calls ``changed``, on the loop that called `start`, once for each edit, after the file has
    been unchanged for one period, so that a file that is being written is not read."""

    def __init__(
        self, path: Path, changed: Callable[[], None], period_s: float = _PERIOD_S
    ) -> None:
        """Checks the file first: before a loop serves, as the file's first reading is."""
        self._path = path
        self._changed = changed
        self._period_s = period_s
        self._seen = self._known = self._look()
        self._is_fresh = True
        self._stop: threading.Event | None = None

    def start(self) -> None:
        if self._stop is None:
            self._stop = threading.Event()
            loop = asyncio.get_running_loop()
            threading.Thread(
                target=self._run, args=(loop, self._stop), name="file watch", daemon=True
            ).start()

    def stop(self) -> None:
        if self._stop is not None:
            self._stop.set()
            self._stop = None

    def _run(self, loop: asyncio.AbstractEventLoop, stop: threading.Event) -> None:
        if not self._is_fresh:
            # Edits while nothing watched are not reported.
            self._seen = self._known = self._look()
        self._is_fresh = False
        while not stop.wait(self._period_s):
            if self._is_edited(self._look()) and not stop.is_set():
                try:
                    loop.call_soon_threadsafe(self._changed)
                except RuntimeError:
                    return  # The loop has ended.

    def _is_edited(self, state: _State) -> bool:
        edited = state is not None and state != self._known and state == self._seen
        if edited:
            self._known = state
        self._seen = state
        return edited

    def _look(self) -> _State:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_dev, status.st_ino
