"""Whether the state file may have changed: two calls of stat, since a reading transaction would
take a hundred times as long, several times a second, as long as a process lives."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["FileSign"]

#: Seconds by which a file's modification time may be behind the clock, with a margin: two writes
#: within them may leave the same time. Some file systems keep whole seconds.
_COARSE_S = 2.1

#: The status of the file and of its write-ahead log, which may be missing.
_Sign = tuple[tuple[int, int, int, int] | None, ...]


class FileSign:
    """``now``: seconds since 1970."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.time) -> None:
        self._paths = str(path), f"{path}-wal"
        self._now = now
        self._seen: _Sign | None = None

    def may_have_changed(self) -> bool:
        """Whether it may have changed since the last call. Returns True rather too often than too
        rarely, also if the file is missing."""
        sign = tuple(_look(path) for path in self._paths)
        same = sign == self._seen
        recent = self._now() - _COARSE_S
        is_settled = all(one is None or one[3] < recent * 1e9 for one in sign)
        self._seen = sign if is_settled and sign[0] is not None else None
        return not same


def _look(path: str) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
