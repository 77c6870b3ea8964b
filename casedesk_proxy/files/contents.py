"""Contents of files on disk: one file each in one directory, by id, readable by nobody else.

All of it blocks, so it belongs into a thread.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

__all__ = ["ContentReader", "Contents"]


class Contents:
    """``directory`` is made where it is missing. Ids are ours, never a client's."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def open(self, ident: str) -> ContentReader:
        """Raises OSError, FileNotFoundError where it has been deleted meanwhile."""
        return ContentReader(os.open(self._path(ident), os.O_RDONLY | os.O_CLOEXEC))

    def remove(self, ident: str) -> None:
        """Nothing where there is none. Who reads it reads on. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(ident))

    def _path(self, ident: str) -> Path:
        assert ident.isalnum(), "no path from a client"
        return self.directory / ident


class ContentReader:
    """One content, from its beginning. ``close`` must be called; a read that runs ends first, as
    the descriptor's number may be another file's behind it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def read(self, most: int, start: int) -> bytes:
        """So many bytes from ``start`` on, fewer at the end. Raises OSError, also once it is
        closed."""
        parts, at = [], start
        with self._lock:
            while at < start + most and (data := os.pread(self._descriptor, start + most - at, at)):
                parts.append(data)
                at += len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)
