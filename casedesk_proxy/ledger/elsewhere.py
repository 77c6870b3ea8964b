"""Copies what other hosts have used from the database into the state file, for the limits of this
host.

The file has what limits count, of this month and the previous one: so a start needs no database,
and every process of this host has the data. How far the database was read is noted in the
transaction that adds the rows.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

from casedesk_proxy.ledger.database import BATCH_TIMEOUT_S
from casedesk_proxy.store.facts import raise_number, read_number

__all__ = ["enter_elsewhere", "fetch_elsewhere", "read_received"]

#: Seconds for which other hosts' use is needed: the longest month, and a day of another time zone.
_KEPT_S = 33 * 86400.0
#: Rows that are deleted at once.
_MAX_STEP_ROWS = 1000

_USED = "request, key, deployment, prompt, output, ended, duration, node"
_SPAN = """
    SELECT max(place) FROM (
        SELECT place FROM exchanges WHERE place > $1 ORDER BY place LIMIT $2
    ) AS span
"""
_FETCH = f"""
    SELECT {_USED} FROM exchanges
    WHERE place > $1 AND place <= $2 AND origin <> $3 AND ended >= $4 ORDER BY place
"""
_ENTER = f"INSERT INTO elsewhere ({_USED}) VALUES ({', '.join('?' * 8)})"
#: The name of the place up to which the database was read.
_RECEIVED = "received"
_FORGET = """DELETE FROM elsewhere WHERE id IN
    (SELECT id FROM elsewhere WHERE ended < ? ORDER BY id LIMIT ?)"""


def read_received(connection: sqlite3.Connection) -> int:
    """The place up to which the database was read; 0: nothing was."""
    return read_number(connection, _RECEIVED)


async def fetch_elsewhere(
    connection: Any, received: int, origin: str, now: float, most: int
) -> tuple[int, list[tuple[Any, ...]]]:
    """From the ``most`` rows after a place: the last one's place, and the rows that hosts other
    than ``origin`` added. ``now`` in seconds since 1970."""
    async with asyncio.timeout(BATCH_TIMEOUT_S):
        last = await connection.fetchval(_SPAN, received, most)
        if last is None:
            return received, []
        rows = await connection.fetch(_FETCH, received, last, origin, now - _KEPT_S)
    return last, [tuple(row) for row in rows]


def enter_elsewhere(
    connection: sqlite3.Connection,
    received: int,
    last: int,
    rows: list[tuple[Any, ...]],
    now: float,
) -> None:
    """In the caller's transaction. If another process has already added the rows after ``received``
    to the file, nothing is added."""
    if read_received(connection) != received:
        return
    connection.executemany(_ENTER, rows)
    raise_number(connection, _RECEIVED, last)
    connection.execute(_FORGET, (now - _KEPT_S, _MAX_STEP_ROWS))
