"""The ledger of several hosts in one PostgreSQL database: what a host sends there, and receives.

The state file stays the ledger of this host and is the spool: rows are read from it in the order of
their ids, inserted, and only then is the position noted in the file. So nothing is lost while the
server is away, as long as the file keeps its rows; and if a row is sent twice because the note was
lost, it is the same row: its key there is its file's name and its id.

Rows that other hosts have sent are copied into the file for the limits. Other hosts know within a
second what one host uses: its row is in its file after 0.1 s, two rounds of 0.2 s bring it to the
database and into another file, and the limits there read each 0.3 s.

A thread does this, on an event loop of its own. Of several processes with one file, one does.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from casedesk_proxy.ledger.database import (
    BATCH_TIMEOUT_S,
    connect,
    explain,
    insert_rows,
    prune_database,
)
from casedesk_proxy.ledger.elsewhere import enter_elsewhere, fetch_elsewhere, read_received
from casedesk_proxy.ledger.rows import COLUMNS
from casedesk_proxy.store.facts import raise_number, read_number, read_origin
from casedesk_proxy.store.file import open_reader
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.terms import record

__all__ = ["RowForwarder", "read_forwarded"]

log = logging.getLogger(__name__)

#: Rows of one transaction of the server's, and of one read.
_MAX_BATCH_ROWS = 500
_MAX_READ_ROWS = 5000
#: Seconds between two rounds of reading the file and the server, and before the server is tried
#: again: first and at most.
_LOOK_S = 0.2
_RETRY_S = 1.0
_MAX_RETRY_S = 30.0

_NEXT = f"SELECT id, {', '.join(COLUMNS)} FROM exchanges WHERE id > ? ORDER BY id LIMIT ?"
#: The name of the id up to which rows have reached the server.
_FORWARDED = "forwarded"


def read_forwarded(connection: sqlite3.Connection) -> int:
    """The id up to which rows have reached the server; 0: none has."""
    return read_number(connection, _FORWARDED)


@record
class _Found:
    """The state file's data for one round: the ``rows`` that have not reached the server, the
    ``newest`` id, and up to which place the server's were ``received``."""

    origin: str
    rows: list[tuple[Any, ...]]
    newest: int
    received: int


class RowForwarder:
    """``fault``: why rows do not reach the server now; empty while they do. ``behind`` counts the
    rows of the file that have not reached it, as of the last round; ``sent`` those that this
    process has sent, ``received`` those of other hosts that it has added."""

    def __init__(
        self,
        store: StoreWriter,
        url: str,
        driver: ModuleType,
        *,
        look_s: float = _LOOK_S,
        retry_s: float = _RETRY_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``driver``: the package asyncpg, which is an optional dependency. ``now``: seconds since
        1970."""
        self.fault = ""
        self.behind = 0
        self.sent = 0
        self.received = 0
        self._store = store
        self._url = url
        self._driver = driver
        self._look_s = look_s
        self._retry_s = retry_s
        self._now = now
        self._pruned_before = 0.0
        self._stopping = threading.Event()
        self._connection: Any = None
        self._thread = threading.Thread(target=self._run, name="ledger's database", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def prune(self, before: float) -> None:
        """Turn rows of the database that ended before then, in seconds since 1970, into sums of
        their day, in steps between other work. May be called from any thread."""
        self._pruned_before = before

    def close(self, within_s: float) -> None:
        """Send no more; the next process sends the rest."""
        self._stopping.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        lock = _lock_for(self._store.path)
        try:
            while not self._stopping.is_set() and not _take(lock):
                # Another process of this host does it.
                self._stopping.wait(self._look_s)
            asyncio.run(self._forward())
        finally:
            os.close(lock)

    async def _forward(self) -> None:
        retry_s = self._retry_s
        while not self._stopping.is_set():
            try:
                found = self._look()
                sent = await self._send(found)
                is_idle = not (sent or await self._receive(found) or await self._prune())
            except Exception as error:
                await self._note_fault(error)
                self._stopping.wait(retry_s)
                retry_s = min(2 * retry_s, _MAX_RETRY_S)
                continue
            self._note_success()
            retry_s = self._retry_s
            if is_idle:
                self._stopping.wait(self._look_s)
        await self._disconnect()

    def _look(self) -> _Found:
        with open_reader(self._store.path) as reader:
            done = read_forwarded(reader)
            (newest,) = reader.execute("SELECT coalesce(max(id), 0) FROM exchanges").fetchone()
            self.behind = max(newest - done, 0)
            rows = reader.execute(_NEXT, (done, _MAX_BATCH_ROWS)).fetchall()
            return _Found(read_origin(reader), rows, newest, read_received(reader))

    async def _send(self, found: _Found) -> int:
        rows = found.rows
        if not rows:
            return 0
        refusals = await insert_rows(await self._connect(), [(found.origin, *row) for row in rows])
        if refusals:
            log.error("the ledger's database refused %d rows, which only the state file of this"
                      " host has; the first: %s", len(refusals), refusals[0])  # fmt: skip
        self._write(lambda file: raise_number(file, _FORWARDED, rows[-1][0]))
        self.sent += len(rows) - len(refusals)
        self.behind = max(found.newest - rows[-1][0], 0)
        return len(rows)

    async def _receive(self, found: _Found) -> int:
        """How many rows of the database were read."""
        done, now = found.received, self._now()
        last, rows = await fetch_elsewhere(
            await self._connect(), done, found.origin, now, _MAX_READ_ROWS
        )
        if last > done:
            self._write(lambda file: enter_elsewhere(file, done, last, rows, now))
            self.received += len(rows)
        return last - done

    async def _prune(self) -> int:
        if not self._pruned_before:
            return 0
        pruned = await prune_database(await self._connect(), self._pruned_before, _MAX_BATCH_ROWS)
        if not pruned:
            self._pruned_before = 0.0
        return pruned

    def _write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Raises StoreError if the file cannot be written: the work is then repeated."""
        self._store.perform(work).result(BATCH_TIMEOUT_S)

    async def _connect(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._driver, self._url)
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _note_fault(self, error: Exception) -> None:
        await self._disconnect()
        why = explain(error)
        if not self.fault:
            log.error("cannot write to the ledger's database: %s; rows wait in the state file", why)
        self.fault = why

    def _note_success(self) -> None:
        if self.fault:
            log.warning("the ledger's database can be written again")
        self.fault = ""


def _lock_for(path: Path) -> int:
    """A file beside the state file that one process at a time keeps locked."""
    return os.open(f"{path}.forward", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
