"""Every row of the ledger into a PostgreSQL database, which several hosts may share.

The state file stays the book of this host and is the spool: rows are read from it in the order of
their ids, inserted, and only then is it noted in the file how far it went. So nothing is lost while
the server is away, for as long as the file keeps its rows, and a row that comes twice, since the
note was lost, is the same row: it has its file's name and its id there for a key.

A thread does it, on a loop of its own. Of several processes with one file, one does.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

from casedesk_proxy.ledger.rows import COLUMNS
from casedesk_proxy.store.file import open_reader
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["RowForwarder", "read_forwarded"]

log = logging.getLogger(__name__)

#: Rows of one transaction of the server's.
_MAX_BATCH_ROWS = 500
#: Seconds between two looks at the file, and before the server is tried again: first and at most.
_LOOK_S = 0.5
_RETRY_S = 1.0
_MAX_RETRY_S = 30.0
#: Seconds for a connection, and for a batch.
_CONNECT_TIMEOUT_S = 10.0
_BATCH_TIMEOUT_S = 30.0

_TABLE = """
    CREATE TABLE IF NOT EXISTS exchanges (
        origin text, id bigint, request text, ended double precision, key text, deployment text,
        surface text, action text, asked text, model text, node text, status integer, ending text,
        code text, prompt bigint, output bigint, cached bigint, thoughts bigint,
        estimated integer, first_byte double precision, duration double precision,
        queued double precision, PRIMARY KEY (origin, id)
    );
    CREATE INDEX IF NOT EXISTS exchanges_by_time ON exchanges (ended)
"""
#: Two that make the same table at the same time are an error for one of them.
_LOCK = "SELECT pg_advisory_xact_lock(4919131752989213)"
_PLACES = ", ".join(f"${number + 1}" for number in range(len(COLUMNS) + 2))
_INSERT = (
    f"INSERT INTO exchanges (origin, id, {', '.join(COLUMNS)}) VALUES ({_PLACES})"
    " ON CONFLICT DO NOTHING"
)
_NEXT = f"SELECT id, {', '.join(COLUMNS)} FROM exchanges WHERE id > ? ORDER BY id LIMIT ?"
_NOTE = (
    "INSERT INTO facts VALUES ('forwarded', ?) ON CONFLICT DO UPDATE"
    " SET value = max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER))"
)


def read_forwarded(connection: sqlite3.Connection) -> int:
    """The id up to which rows have reached the server; 0: none has."""
    found = connection.execute("SELECT value FROM facts WHERE name = 'forwarded'").fetchone()
    return int(found[0]) if found else 0


class RowForwarder:
    """``fault`` says why rows do not reach the server now; empty while they do. ``behind`` counts
    those of the file that have not reached it, as of the last look; ``sent`` those that this
    process has sent."""

    def __init__(
        self,
        store: StoreWriter,
        url: str,
        driver: ModuleType,
        *,
        look_s: float = _LOOK_S,
        retry_s: float = _RETRY_S,
    ) -> None:
        """``driver``: the package asyncpg, which is an optional dependency."""
        self.fault = ""
        self.behind = 0
        self.sent = 0
        self._store = store
        self._url = url
        self._driver = driver
        self._look_s = look_s
        self._retry_s = retry_s
        self._stopping = threading.Event()
        self._connection: Any = None
        self._thread = threading.Thread(target=self._run, name="ledger's database", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, within_s: float) -> None:
        """Send no more; what is left is sent by the next process."""
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
                moved = await self._forward_batch()
            except Exception as error:
                await self._note_fault(error)
                self._stopping.wait(retry_s)
                retry_s = min(2 * retry_s, _MAX_RETRY_S)
                continue
            retry_s = self._retry_s
            if not moved:
                self._stopping.wait(self._look_s)
        await self._disconnect()

    async def _forward_batch(self) -> int:
        with open_reader(self._store.path) as reader:
            (origin,) = reader.execute("SELECT value FROM facts WHERE name = 'origin'").fetchone()
            done = read_forwarded(reader)
            rows = reader.execute(_NEXT, (done, _MAX_BATCH_ROWS)).fetchall()
            (newest,) = reader.execute("SELECT coalesce(max(id), 0) FROM exchanges").fetchone()
        self.behind = max(newest - done, 0)
        if not rows:
            self._note_success()
            return 0
        connection = await self._connect()
        async with asyncio.timeout(_BATCH_TIMEOUT_S), connection.transaction():
            await connection.executemany(_INSERT, [(origin, *row) for row in rows])
        self._note(str(rows[-1][0]))
        self.sent += len(rows)
        self.behind = max(newest - rows[-1][0], 0)
        self._note_success()
        return len(rows)

    def _note(self, forwarded: str) -> None:
        """Raises StoreError where the file cannot be written: the rows are sent again then."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(_NOTE, (forwarded,))

        self._store.perform(write).result(_BATCH_TIMEOUT_S)

    async def _connect(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._driver.connect(self._url, timeout=_CONNECT_TIMEOUT_S)
            async with asyncio.timeout(_BATCH_TIMEOUT_S), self._connection.transaction():
                await self._connection.execute(_LOCK)
                await self._connection.execute(_TABLE)
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _note_fault(self, error: Exception) -> None:
        await self._disconnect()
        why = _explain(error)
        if not self.fault:
            log.error("the ledger's database gets no rows: %s; they wait in the state file", why)
        self.fault = why

    def _note_success(self) -> None:
        if self.fault:
            log.warning("the ledger's database gets rows again")
        self.fault = ""


def _lock_for(path: Path) -> int:
    """A file beside the state file that one process at a time holds locked."""
    return os.open(f"{path}.forward", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _explain(error: Exception) -> str:
    """Nothing of the URL, which may hold a password."""
    if isinstance(error, StoreError):
        return f"the state file: {error}"
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else "it cannot be reached"
    name = type(error).__name__
    if name == "ClientConfigurationError" or isinstance(error, ValueError):
        return "ledger.url is no URL of PostgreSQL, postgresql://user:password@host/name"
    return f"{name}: {str(error).splitlines()[0] if str(error) else ''}"
