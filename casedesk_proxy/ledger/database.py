"""The PostgreSQL database that hosts share: its tables, a connection to it, and its faults.

A host's state file is its own ledger; the database is that of all hosts together. There, each row
also has a place, in the order in which rows were committed. No row is ever added before a place
that has been read.
"""

from __future__ import annotations

import asyncio
import os
from types import ModuleType
from typing import Any

from casedesk_proxy.ledger.rows import COLUMNS
from casedesk_proxy.store.schema import StoreError

__all__ = ["BATCH_TIMEOUT_S", "connect", "explain", "insert_rows", "prune_database"]

#: Seconds for a connection, and for a batch.
_CONNECT_TIMEOUT_S = 10.0
BATCH_TIMEOUT_S = 30.0

#: PostgreSQL's advisory locks are numbers that any program may use. These are ours: one is held to
#: create tables or add rows, one to prune.
_WRITE_LOCK = "SELECT pg_advisory_xact_lock(4919131752989213)"
_PRUNE_LOCK = "SELECT pg_try_advisory_xact_lock(4919131752989214)"
#: A host that becomes silent while it holds a lock makes others wait no longer than this.
_SETTINGS = """
    SET idle_in_transaction_session_timeout = '20s'; SET lock_timeout = '25s';
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2
"""
#: An older database has no places: its rows get theirs here.
_TABLES = """
    CREATE TABLE IF NOT EXISTS exchanges (
        origin text, id bigint, request text, ended double precision, key text, deployment text,
        surface text, action text, asked text, model text, node text, status integer, ending text,
        code text, prompt bigint, output bigint, cached bigint, thoughts bigint,
        estimated integer, first_byte double precision, duration double precision,
        queued double precision, PRIMARY KEY (origin, id)
    );
    ALTER TABLE exchanges ADD COLUMN IF NOT EXISTS place bigserial;
    CREATE INDEX IF NOT EXISTS exchanges_by_time ON exchanges (ended);
    CREATE INDEX IF NOT EXISTS exchanges_by_place ON exchanges (place);
    CREATE TABLE IF NOT EXISTS days (
        day text, key text, deployment text, model text, exchanges bigint, failed bigint,
        estimated bigint, prompt bigint, output bigint, cached bigint, thoughts bigint,
        duration double precision, PRIMARY KEY (day, key, deployment, model)
    )
"""
_HAS_TABLES = """
    SELECT to_regclass('days') IS NOT NULL AND EXISTS (
        SELECT FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = 'exchanges' AND column_name = 'place'
    )
"""
#: Classes of SQLSTATE: errors of data and of sizes (PostgreSQL 17, appendix A). For a constraint,
#: which the tables did not have, all rows wait: it may be a mistake.
_VALUE_FAULTS = ("22", "54")
_PLACES = ", ".join(f"${number + 1}" for number in range(len(COLUMNS) + 2))
_INSERT = (
    f"INSERT INTO exchanges (origin, id, {', '.join(COLUMNS)}) VALUES ({_PLACES})"
    " ON CONFLICT DO NOTHING"
)
_PRUNE = """
    WITH old AS (
        DELETE FROM exchanges WHERE (origin, id) IN (
            SELECT origin, id FROM exchanges WHERE ended < $1 ORDER BY ended LIMIT $2
        ) RETURNING *
    ), summed AS (
        INSERT INTO days
        SELECT to_char(to_timestamp(ended) AT TIME ZONE 'UTC', 'YYYY-MM-DD'), key, deployment,
            model, count(*), count(*) FILTER (WHERE ending <> 'completed' OR status >= 400),
            sum(estimated), coalesce(sum(prompt), 0), coalesce(sum(output), 0),
            coalesce(sum(cached), 0), coalesce(sum(thoughts), 0), sum(duration)
        FROM old GROUP BY 1, 2, 3, 4
        ON CONFLICT (day, key, deployment, model) DO UPDATE SET
            exchanges = days.exchanges + excluded.exchanges, failed = days.failed + excluded.failed,
            estimated = days.estimated + excluded.estimated,
            prompt = days.prompt + excluded.prompt, output = days.output + excluded.output,
            cached = days.cached + excluded.cached, thoughts = days.thoughts + excluded.thoughts,
            duration = days.duration + excluded.duration
    )
    SELECT count(*) FROM old
"""


async def connect(driver: ModuleType, url: str) -> Any:
    """A connection of ``driver``, the package asyncpg, to a database that has the tables. Raises
    errors that `explain` describes."""
    connection = await driver.connect(url, timeout=_CONNECT_TIMEOUT_S)
    try:
        async with asyncio.timeout(BATCH_TIMEOUT_S):
            await connection.execute(_SETTINGS)
            if not await connection.fetchval(_HAS_TABLES):
                # If two hosts create the same table at the same time, one of them gets an error.
                async with connection.transaction():
                    await connection.execute(_WRITE_LOCK)
                    await connection.execute(_TABLES)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def insert_rows(connection: Any, rows: list[tuple[Any, ...]]) -> list[str]:
    """Rows of `COLUMNS` after their origin and id. Existing rows stay unchanged. Returns why single
    rows were refused; they are left out.

    PostgreSQL's texts cannot contain NUL, which a client may write into a model's name; U+FFFD
    takes its place. A database with another encoding than UTF-8 lacks other characters.
    """
    rows = [tuple(_without_nul(value) for value in row) for row in rows]
    async with connection.transaction():
        # So that places are assigned in the order of commits.
        async with asyncio.timeout(BATCH_TIMEOUT_S):
            await connection.execute(_WRITE_LOCK)
        return await _insert_in_parts(connection, rows)


async def _insert_in_parts(connection: Any, rows: list[tuple[Any, ...]]) -> list[str]:
    """Each part is half of one that was refused: twenty for one row of five hundred."""
    why = await _try(connection, rows)
    if why is None:
        return []
    if len(rows) == 1:
        return [why]
    half = len(rows) // 2
    first = await _insert_in_parts(connection, rows[:half])
    return first + await _insert_in_parts(connection, rows[half:])


async def _try(connection: Any, rows: list[tuple[Any, ...]]) -> str | None:
    """Insert all of them, or none if the database refuses the values of one: then the reason."""
    try:
        async with asyncio.timeout(BATCH_TIMEOUT_S), connection.transaction():
            await connection.executemany(_INSERT, rows)
    except Exception as error:
        if getattr(error, "sqlstate", "")[:2] not in _VALUE_FAULTS:
            raise
        return explain(error)
    return None


def _without_nul(value: Any) -> Any:
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


async def prune_database(connection: Any, before: float, most: int) -> int:
    """One step: how many rows of all hosts that ended before then, in seconds since 1970, became
    sums of their day. Also 0 if another host is doing it."""
    async with asyncio.timeout(BATCH_TIMEOUT_S), connection.transaction():
        if not await connection.fetchval(_PRUNE_LOCK):
            return 0
        return int(await connection.fetchval(_PRUNE, before, most))


def explain(error: Exception) -> str:
    """Contains nothing of the URL, which may include a password."""
    if isinstance(error, StoreError):
        return f"the state file: {error}"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else "it cannot be reached"
    name = type(error).__name__
    if name == "ClientConfigurationError" or isinstance(error, ValueError):
        return "ledger.url is not a PostgreSQL URL; write postgresql://user:password@host/name"
    return f"{name}: {str(error).splitlines()[0] if str(error) else ''}"
