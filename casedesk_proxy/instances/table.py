"""A table in memory that the instances of a host share: what each of them has of each thing.

A row is an instance's, which alone writes it, and everybody reads all of them; a column is a
thing's, by its name: a node's slots, for instance. No instance waits for another: a count is
written by one store and read by one load of an aligned word. A row is its instance's for as long
as that holds a lock on the row's place, which ends with the process, also by SIGKILL; whoever
notices clears the row.

The file belongs into a file system in memory: a page of a real one is locked while it is written
out. It is made whole at once, since a page for which no room is left ends the process.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import threading
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from casedesk_proxy.instances.locks import is_locked_elsewhere, try_lock, unlock

__all__ = ["FILE_NAME", "MAX_COLUMNS", "MAX_ROWS", "HostTable", "TableError"]

log = logging.getLogger(__name__)

#: Another layout is another file: during an upgrade old and new versions run side by side.
FILE_NAME = "counts-1"
MAX_ROWS = 64
MAX_COLUMNS = 4096

_DIGEST_BYTES = 16
_NAMES_AT = 4096
_COUNTS_AT = _NAMES_AT + MAX_COLUMNS * _DIGEST_BYTES
_STAMPS_AT = _COUNTS_AT + MAX_COLUMNS * MAX_ROWS * 4
_SIZE_BYTES = _STAMPS_AT + MAX_COLUMNS * MAX_ROWS * 8
#: Words of the header: how many columns have a name, how often rows came or went, and from here
#: on a process id for each row.
_COLUMNS, _CHANGES, _PIDS = 0, 1, 2
#: Places of locks: that on the header, then one a row.
_HEADER_LOCK, _ROW_LOCKS = 0, 1


#: At a microsecond each; whoever holds the header for longer has been stopped.
_TRIES = 5_000
#: Whoever takes it and gives it back has written before he reads on, on every processor.
_FENCE = threading.Lock()


class TableError(Exception):
    """There is no table, or no row in it; the message says why."""


class HostTable:
    """One instance's view. Names of columns are for ever, until a first instance begins anew.
    ``row`` is ours."""

    def __init__(self, directory: Path) -> None:
        """Raises TableError. The directory is made if need be, for its owner alone."""
        path = directory / FILE_NAME
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # An opening of its own: the mapping keeps a copy of the one that it is made from.
            self._locks = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TableError(f"{directory}: {error.strerror}") from error
        #: Rows of the others, as of so many changes.
        self._others: tuple[int, ...] = ()
        self._seen_changes = -1
        self._columns: dict[bytes, int] = {}
        try:
            with self._header_locked() as locked:
                if not locked:
                    raise TableError("another instance holds its table; try again")
                self._map = self._open(path)
                self._header, self._counts, self._stamps = _views(self._map)
                self.row = self._take_row()
        except OSError as error:
            os.close(self._locks)
            raise TableError(f"{path}: {error.strerror}") from error
        except BaseException:
            os.close(self._locks)
            raise

    def _open(self, path: Path) -> mmap.mmap:
        """The file in memory; empty where nobody has a row in it."""
        if os.fstat(self._locks).st_size != _SIZE_BYTES:
            os.posix_fallocate(self._locks, 0, _SIZE_BYTES)
        with path.open("r+b") as file:
            found = mmap.mmap(file.fileno(), _SIZE_BYTES)
        if not any(self._is_taken(row) for row in range(MAX_ROWS)):
            found[:_SIZE_BYTES] = bytes(_SIZE_BYTES)
        return found

    def _take_row(self) -> int:
        for row in range(MAX_ROWS):
            if try_lock(self._locks, _ROW_LOCKS + row):
                self._clear(row)
                self._header[_PIDS + row] = os.getpid()
                self._header[_CHANGES] += 1
                return row
        raise TableError(f"{MAX_ROWS} instances share it already")

    def close(self) -> None:
        """Leave: what we have counts no more."""
        self._clear(self.row)
        self._header[_PIDS + self.row] = 0
        self._header[_CHANGES] += 1
        for view in (self._header, self._counts, self._stamps):
            view.release()
        self._map.close()
        os.close(self._locks)

    # Who is there.

    @property
    def others(self) -> tuple[int, ...]:
        """The rows of the other instances."""
        changes = self._header[_CHANGES]
        if changes != self._seen_changes:
            self._seen_changes = changes
            pids = self._header[_PIDS : _PIDS + MAX_ROWS]
            self._others = tuple(row for row, pid in enumerate(pids) if pid and row != self.row)
        return self._others

    def pid(self, row: int) -> int:
        """Whose row it is; 0: nobody's."""
        return self._header[_PIDS + row]

    def bury(self) -> bool:
        """Clear the rows of instances that have ended without leaving. Whether there were any."""
        found = False
        for row in self.others:
            if not self._is_taken(row) and try_lock(self._locks, _ROW_LOCKS + row):
                log.warning("instance of process %d has ended; what it held is free", self.pid(row))
                self._clear(row)
                self._header[_PIDS + row] = 0
                self._header[_CHANGES] += 1
                unlock(self._locks, _ROW_LOCKS + row)
                found = True
        return found

    def _is_taken(self, row: int) -> bool:
        return is_locked_elsewhere(self._locks, _ROW_LOCKS + row)

    # What they have.

    def column(self, name: str) -> int | None:
        """The column of that name; None: there is no room for another one, or not now."""
        digest = blake2b(name.encode(), digest_size=_DIGEST_BYTES).digest()
        found = self._columns.get(digest)
        if found is None:
            found = self._find(digest)
        if found is None:
            with self._header_locked() as locked:
                found = self._add(digest) if locked else None
        return found

    def publish(self, column: int, count: int) -> None:
        """We have so many."""
        self._counts[column * MAX_ROWS + self.row] = count
        # What the others have is read after this is written.
        with _FENCE:
            pass

    def count_elsewhere(self, column: int) -> int:
        """How many the others have together."""
        first, counts = column * MAX_ROWS, self._counts
        return sum([counts[first + row] for row in self.others])

    def counts(self, column: int) -> dict[int, int]:
        """What each of the others has, by row."""
        first = column * MAX_ROWS
        return {row: self._counts[first + row] for row in self.others}

    def stamp(self, column: int, stamp: float) -> None:
        """We want one, since a time by whatever clock the instances share; 0: we do not."""
        self._stamps[column * MAX_ROWS + self.row] = stamp

    def stamps(self, column: int) -> list[tuple[float, int]]:
        """Since when each of the others wants one, and its row; without those that do not."""
        first, stamps = column * MAX_ROWS, self._stamps
        return [(stamps[first + row], row) for row in self.others if stamps[first + row]]

    def _find(self, digest: bytes) -> int | None:
        """Look through the names that others have entered since."""
        for column in range(len(self._columns), self._header[_COLUMNS]):
            at = _NAMES_AT + column * _DIGEST_BYTES
            self._columns[self._map[at : at + _DIGEST_BYTES]] = column
        return self._columns.get(digest)

    def _add(self, digest: bytes) -> int | None:
        found, column = self._find(digest), self._header[_COLUMNS]
        if found is not None or column == MAX_COLUMNS:
            return found
        at = _NAMES_AT + column * _DIGEST_BYTES
        self._map[at : at + _DIGEST_BYTES] = digest
        # The name first: whoever reads the number finds it whole.
        self._header[_COLUMNS] = column + 1
        return self._find(digest)

    def _clear(self, row: int) -> None:
        for column in range(self._header[_COLUMNS]):
            self._counts[column * MAX_ROWS + row] = 0
            self._stamps[column * MAX_ROWS + row] = 0.0

    @contextlib.contextmanager
    def _header_locked(self) -> Iterator[bool]:
        """Whether nobody else has it; it is held for microseconds."""
        held = any(try_lock(self._locks, _HEADER_LOCK) for _ in range(_TRIES))
        try:
            yield held
        finally:
            if held:
                unlock(self._locks, _HEADER_LOCK)


def _views(found: mmap.mmap) -> tuple[memoryview, memoryview, memoryview]:
    """Header, counts, stamps."""
    with memoryview(found) as view:
        header = view[:_NAMES_AT].cast("i")
        return header, view[_COUNTS_AT:_STAMPS_AT].cast("i"), view[_STAMPS_AT:].cast("d")
