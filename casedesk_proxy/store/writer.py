"""Writes the state file without making any code wait for its disk.

A disk may be full or slow, the file locked by another program, deleted, or damaged. So one thread
writes, in batches. Code that has something to write hands it over and does not wait. What cannot be
written is kept, up to a limit, and written when that becomes possible.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from casedesk_proxy.store.file import explain, identify, open_writer
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.store.waiting import (
    Batch,
    Bell,
    Commits,
    Entry,
    Waiting,
    WaitingItems,
    enter_items,
)
from casedesk_proxy.terms import record

__all__ = ["Insert", "StoreWriter"]

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds for which rows wait for others to share their transaction: a killed process loses them.
#: On a busy server hundreds of rows arrive in that time; with 0.02 a row cost a third more.
_GATHER_S = 0.1
#: Seconds after which a failed write is tried again.
_RETRY_S = 1.0
#: The most rows that wait for the file; each has some hundred bytes. Further rows are dropped.
_MAX_WAITING_ROWS = 200_000
#: Rows of one transaction, so that other processes get their turn.
_MAX_BATCH_ROWS = 2_000
#: Errors of the file or its disk, and errors of a single row.
_FILE_FAULTS = (sqlite3.DatabaseError, OSError, StoreError)
_ROW_FAULTS = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)


@record
class Insert:
    """Rows of one kind: ``statement`` has a placeholder for each value that ``row`` returns for an
    item, in the writer's thread."""

    statement: str
    row: Callable[[Any], Sequence[Any]]

    def enter(self, connection: sqlite3.Connection, items: Sequence[Any]) -> None:
        connection.executemany(self.statement, [self.row(item) for item in items])


@record
class _Source:
    """Rows that wait, and what enters a batch of them."""

    rows: Waiting
    enter: Callable[[sqlite3.Connection, Any], None]


class StoreWriter:
    """``fault``: why the file cannot be written now; empty while it can. ``failures`` counts the
    batches that could not be written at once, ``written`` the rows that were; ``waiting`` says how
    many were not yet. ``bell`` is to be rung by those who have `join`ed."""

    def __init__(
        self,
        path: Path,
        *,
        gather_s: float = _GATHER_S,
        retry_s: float = _RETRY_S,
        max_waiting_rows: int = _MAX_WAITING_ROWS,
        open_file: Callable[[Path], sqlite3.Connection] = open_writer,
    ) -> None:
        self.path = path
        self.fault = ""
        self.failures = self.written = 0
        self._gather_s = gather_s
        self._retry_s = retry_s
        self._max_waiting_rows = max_waiting_rows
        self._open_file = open_file
        self._refused = 0
        self.bell, self.commits = Bell(), Commits()
        self._items = WaitingItems(max_waiting_rows)
        self._sources: tuple[_Source, ...] = (_Source(self._items, enter_items),)
        self._jobs: deque[tuple[Callable[[sqlite3.Connection], Any], Future[Any]]] = deque()
        self._is_closing = False
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] = (0, 0)
        self._lost_before = 0
        self._thread = threading.Thread(target=self._run, name="state file", daemon=True)

    def start(self) -> None:
        """Open the file, or create it. Raises StoreError if that can never succeed there; if the
        file is locked or damaged, or its disk is full, tries again and again."""
        try:
            self._open()
        except OSError as error:
            raise StoreError(explain(error)) from error
        except sqlite3.Error as error:
            self._note_fault(error)
        # SQLite's connections belong to the thread that made them.
        self._close_file()
        self._thread.start()

    @property
    def waiting(self) -> int:
        return sum(len(source.rows) for source in self._sources)

    @property
    def dropped(self) -> int:
        """Rows that were lost: too many waited, or they violated a table's rules."""
        return self._refused + sum(source.rows.overflown for source in self._sources)

    def write(self, entry: Entry, item: Any) -> None:
        """Hand over a row: written within 0.2 s, after those handed over before. Never waits and
        never raises. Call from one thread at a time."""
        self._items.add(entry, item)
        if not self.bell.is_rung:
            self.bell.ring()

    def join(self, rows: Waiting, entry: Entry) -> None:
        """Write what will wait in ``rows``, too: before what `write` gets."""
        self._sources = (_Source(rows, entry.enter), *self._sources)

    def perform(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Perform ``work`` in a transaction of its own, after all rows that were handed over
        before: it is in the file once the future has its result. The future raises StoreError if
        the file cannot be written, or what ``work`` raises; nothing of it is then in the file. May
        be called from any thread; in a coroutine, ``await asyncio.wrap_future(...)``."""
        future: Future[T] = Future()
        self._jobs.append((work, future))
        self.bell.call()
        if self._is_closing:
            # Unless the thread has just taken it: it may have ended.
            with contextlib.suppress(ValueError):
                self._jobs.remove((work, future))
                future.set_exception(StoreError("the proxy is stopping"))
        return future

    def close(self, within_s: float) -> None:
        """Write what waits, for so many seconds at most, and close the file."""
        self._is_closing = True
        self.bell.call()
        if self._thread.is_alive():
            self._thread.join(within_s)
        if lost := self.waiting:
            log.error("%s: %d rows could not be written before the proxy stopped", self.path, lost)

    # In the thread.

    def _run(self) -> None:
        is_over = False
        while not is_over or (self.waiting and not self.fault) or self._jobs:
            # What could not be written until the end is tried once more.
            is_over = self._is_closing
            if not self.bell.is_rung and not is_over:
                self.bell.wait(self._retry_s if self.fault and self.waiting else None)
            if not self._jobs and not self._is_closing:
                # Rows that keep coming wake it only for jobs and the end.
                self.bell.wait(self._gather_s)
            if not self.waiting or self.fault:
                self.bell.is_rung = False
            self._write_waiting()
            self._do_jobs()
        self._close_file()

    def _write_waiting(self) -> bool:
        """Write what waits now; whether that succeeded. Rows that arrive meanwhile wait for others
        again: otherwise a busy server would make one small transaction after another."""
        for source in self._sources:
            due = len(source.rows)
            while due > 0:
                try:
                    batch = source.rows.list_next(min(_MAX_BATCH_ROWS, due))
                    due -= len(batch)
                    self._write(source, batch)
                except Exception as error:
                    self._note_fault(error)
                    return False
                self._note_success()
        return True

    def _write(self, source: _Source, batch: Batch) -> None:
        """Rows that the file refuses are lost. Raises the faults of the file."""

        try:
            self._transact(lambda file: source.enter(file, batch), source.rows, len(batch))
            self.written += len(batch)
        except Exception as error:
            if _is_file_fault(error):
                raise
            if len(batch) > 1:
                for place in range(len(batch)):
                    self._write(source, batch[place : place + 1])
            else:
                self._refused += 1
                with self.commits.committing:
                    source.rows.let_go(1)
                log.exception("a row could not be written to %s", self.path)

    def _do_jobs(self) -> None:
        while self._jobs:
            work, future = self._jobs.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            if not self._write_waiting():
                future.set_exception(StoreError(self.fault))
                continue
            try:
                result = self._transact(work, self._items, 0)
            except Exception as error:
                if _is_file_fault(error):
                    self._drop_file()
                    error = StoreError(explain(error))
                future.set_exception(error)
            else:
                self._note_success()
                future.set_result(result)

    def _transact(self, work: Callable[[sqlite3.Connection], T], rows: Waiting, count: int) -> T:
        """So many of ``rows`` are then written."""
        connection = self._usable()
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            with self.commits.committing:
                connection.execute("COMMIT")
                rows.let_go(count)
                self.commits.ended(True)
        except BaseException:
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            self.commits.ended(False)
            raise
        return result

    def _usable(self) -> sqlite3.Connection:
        """The file, opened again if it was replaced or deleted: what is written to a deleted file
        is lost."""
        if self._connection is not None and identify(self.path) != self._identity:
            log.warning("%s was deleted or replaced: keys, use and files that only the former one"
                        " had are gone", self.path)  # fmt: skip
            self._close_file()
        return self._connection or self._open()

    def _open(self) -> sqlite3.Connection:
        self._connection = self._open_file(self.path)
        self._identity = identify(self.path)
        return self._connection

    def _drop_file(self) -> None:
        """Open it again next time: an operator who repairs it may replace the file."""
        with contextlib.suppress(sqlite3.Error):
            self._close_file()
        self._connection = None

    def _close_file(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _note_fault(self, error: Exception) -> None:
        self._drop_file()
        self.failures += 1
        why = explain(error)
        if why != self.fault:
            log.error(
                "%s cannot be written: %s. Requests are served; up to %d rows wait for the file",
                self.path, why, self._max_waiting_rows,
            )  # fmt: skip
        self.fault = why

    def _note_success(self) -> None:
        if not self.fault:
            return
        self.fault = ""
        lost, self._lost_before = self.dropped - self._lost_before, self.dropped
        log.warning("%s can be written again; %d rows were lost meanwhile", self.path, lost)


def _is_file_fault(error: Exception) -> bool:
    return isinstance(error, _FILE_FAULTS) and not isinstance(error, _ROW_FAULTS)
