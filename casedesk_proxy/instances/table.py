"""A table in memory that the instances of a host share: how much each of them uses of each thing.

Each row belongs to one instance, which alone writes it; all instances read all rows. Each column
belongs to one thing, by its name, such as a node's slots. No instance waits for another: a count is
written by one store and read by one load of an aligned word. An instance holds a lock on its row's
byte, which ends with the process, also after SIGKILL; the first instance that notices a row without
a lock clears it.

The file must be in a file system in memory: a page of a real one is locked while it is written to
disk. The whole file is allocated at once, since a missing page would end the process.
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

#: A different layout gets a different file: during an upgrade old and new versions run side by
#: side.
FILE_NAME = "counts-1"
MAX_ROWS = 64
MAX_COLUMNS = 4096

_DIGEST_BYTES = 16
#: The header before it has the number of named columns, the number of times that rows came or went,
#: and a process id for each row; from here on are the instances' names.
_OWNERS_BYTE, _OWNER_BYTES = 512, 32
_NAMES_BYTE = 4096
_COUNTS_BYTE = _NAMES_BYTE + MAX_COLUMNS * _DIGEST_BYTES
_STAMPS_BYTE = _COUNTS_BYTE + MAX_COLUMNS * MAX_ROWS * 4
_SIZE_BYTES = _STAMPS_BYTE + MAX_COLUMNS * MAX_ROWS * 8
#: Locks on the file's bytes, independent of their content. The first one is held to add a name or
#: to take a row; after it there is one for each row.
_HEADER_LOCK_BYTE = 0
_FIRST_ROW_LOCK_BYTE = 1
#: At a microsecond each; an instance that holds the header lock for longer has been stopped.
_LOCK_TIMES = 5_000
#: A memory barrier: what was written before it is acquired and released is written before the next
#: read, on every processor.
_FENCE = threading.Lock()


class TableError(Exception):
    """There is no table, or no free row in it; the message says why."""


class HostTable:
    """One instance's view. Names of columns stay until a first instance starts again. ``row`` is
    ours."""

    def __init__(self, directory: Path, name: str = "", *, max_columns: int = MAX_COLUMNS) -> None:
        """``name``: the name of this instance for people; without one, the process's number. Raises
        TableError. The directory is created if it is missing, only for its owner."""
        self.directory = directory
        path, self._max_columns = directory / FILE_NAME, max_columns
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A separate opening: the mapping keeps a copy of the one that it is made from.
            self._locks = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TableError(f"{directory}: {error.strerror}") from error
        #: Rows of the other instances, as of so many changes.
        self._others: tuple[int, ...] = ()
        self._seen_changes = -1
        self._columns: dict[bytes, int] = {}
        try:
            with self._header_locked() as locked:
                if not locked:
                    raise TableError("another instance has locked the table; try again")
                self._map = self._open(path)
                with memoryview(self._map) as view:
                    self._named, self._changes = view[:4].cast("i"), view[4:8].cast("i")
                    self._pids = view[8 : 8 + MAX_ROWS * 4].cast("i")
                    self._counts = view[_COUNTS_BYTE:_STAMPS_BYTE].cast("i")
                    self._stamps = view[_STAMPS_BYTE:].cast("d")
                self.row = self._take_row(name or str(os.getpid()))
                #: Our counts by column. What is written here can be read by all, some time later.
                self.own = self._counts[self.row :: MAX_ROWS]
        except OSError as error:
            os.close(self._locks)
            raise TableError(f"{path}: {error.strerror}") from error
        except BaseException:
            os.close(self._locks)
            raise

    def _open(self, path: Path) -> mmap.mmap:
        """The file in memory; emptied if no instance has a row in it."""
        if os.fstat(self._locks).st_size != _SIZE_BYTES:
            os.posix_fallocate(self._locks, 0, _SIZE_BYTES)
        with path.open("r+b") as file:
            found = mmap.mmap(file.fileno(), _SIZE_BYTES)
        if not any(self._is_taken(row) for row in range(MAX_ROWS)):
            found[:_SIZE_BYTES] = bytes(_SIZE_BYTES)
        return found

    def _take_row(self, name: str) -> int:
        for row in range(MAX_ROWS):
            if try_lock(self._locks, _FIRST_ROW_LOCK_BYTE + row):
                self._clear(row)
                at, owner = _OWNERS_BYTE + row * _OWNER_BYTES, name.encode()[:_OWNER_BYTES]
                self._map[at : at + _OWNER_BYTES] = owner.ljust(_OWNER_BYTES, b"\0")
                self._pids[row] = os.getpid()
                self._changes[0] += 1
                return row
        raise TableError(f"{MAX_ROWS} instances share it already")

    def close(self) -> None:
        """Leave the table: our counts no longer apply."""
        self._clear(self.row)
        self._pids[self.row] = 0
        self._changes[0] += 1
        views = self.own, self._named, self._changes, self._pids, self._counts, self._stamps
        for view in views:
            view.release()
        self._map.close()
        os.close(self._locks)

    # Which instances there are.

    @property
    def others(self) -> tuple[int, ...]:
        """The rows of the other instances."""
        if self._changes[0] != self._seen_changes:
            self._read_rows()
        return self._others

    def _read_rows(self) -> None:
        self._seen_changes = self._changes[0]
        taken = (row for row, pid in enumerate(self._pids) if pid)
        self._others = tuple(row for row in taken if row != self.row)

    def pid(self, row: int) -> int:
        """The process id of the row's instance; 0 if the row is free."""
        return self._pids[row]

    def name(self, row: int) -> str:
        """The instance's name for people. Two instances may have one name, while one replaces the
        other."""
        at = _OWNERS_BYTE + row * _OWNER_BYTES
        return self._map[at : at + _OWNER_BYTES].rstrip(b"\0").decode(errors="replace")

    def bury(self) -> bool:
        """Clear the rows of instances that have ended without leaving; return whether there were
        any."""
        found = False
        for row in self.others:
            if not self._is_taken(row) and try_lock(self._locks, _FIRST_ROW_LOCK_BYTE + row):
                log.warning(
                    "the instance with process %d has ended; its slots are free again",
                    self.pid(row),
                )
                self._clear(row)
                self._pids[row] = 0
                self._changes[0] += 1
                unlock(self._locks, _FIRST_ROW_LOCK_BYTE + row)
                found = True
        return found

    def _is_taken(self, row: int) -> bool:
        return is_locked_elsewhere(self._locks, _FIRST_ROW_LOCK_BYTE + row)

    # What they use.

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

    def publish(self, column: int, count: int) -> int:
        """Write that we use so many; return how many the others use together, read after that."""
        self.own[column] = count
        with _FENCE:
            pass
        return self.count_elsewhere(column)

    def count_elsewhere(self, column: int) -> int:
        """How many the others use together."""
        if self._changes[0] != self._seen_changes:
            self._read_rows()
        found, first, counts = 0, column * MAX_ROWS, self._counts
        for row in self._others:
            found += counts[first + row]
        return found

    def counts_where(self, chosen: int, column: int) -> list[int]:
        """How many each of the others uses, of those whose count in the column ``chosen`` is not
        0."""
        counts, flags, first = self._counts, chosen * MAX_ROWS, column * MAX_ROWS
        return [counts[first + row] for row in self.others if counts[flags + row]]

    def stamp(self, column: int, stamp: float) -> None:
        """Write since when we need one, by a clock that the instances share; 0: we do not."""
        self._stamps[column * MAX_ROWS + self.row] = stamp

    def stamps(self, column: int) -> list[tuple[float, int]]:
        """Since when each of the others needs one, with its row, without those that do not."""
        first, stamps = column * MAX_ROWS, self._stamps
        return [(stamps[first + row], row) for row in self.others if stamps[first + row]]

    def _find(self, digest: bytes) -> int | None:
        """Search the names that others have added since."""
        for column in range(len(self._columns), self._named[0]):
            at = _NAMES_BYTE + column * _DIGEST_BYTES
            self._columns[self._map[at : at + _DIGEST_BYTES]] = column
        return self._columns.get(digest)

    def _add(self, digest: bytes) -> int | None:
        found, column = self._find(digest), self._named[0]
        if found is not None or column == self._max_columns:
            return found
        at = _NAMES_BYTE + column * _DIGEST_BYTES
        self._map[at : at + _DIGEST_BYTES] = digest
        # The name before the number: code that reads the number then finds the whole name.
        self._named[0] = column + 1
        return self._find(digest)

    def _clear(self, row: int) -> None:
        for column in range(self._named[0]):
            self._counts[column * MAX_ROWS + row] = 0
            self._stamps[column * MAX_ROWS + row] = 0.0

    @contextlib.contextmanager
    def _header_locked(self) -> Iterator[bool]:
        """Whether no other instance holds it; it is held for microseconds."""
        held = any(try_lock(self._locks, _HEADER_LOCK_BYTE) for _ in range(_LOCK_TIMES))
        try:
            yield held
        finally:
            if held:
                unlock(self._locks, _HEADER_LOCK_BYTE)
