"""A ledger in memory, and rows for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from casedesk_proxy.ledger.hours import enter_hours
from casedesk_proxy.ledger.packed import PackedBatch, PackedRows
from casedesk_proxy.ledger.rows import COLUMNS
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.store.schema import migrate
from casedesk_proxy.store.waiting import Bell

_ROW: dict[str, Any] = {
    **dict.fromkeys(COLUMNS, ""),
    "status": 200, "ending": "completed", "prompt": None, "output": None, "cached": None,
    "thoughts": None, "estimated": 0, "first_byte": None, "duration": 1.0, "queued": 0.0,
}  # fmt: skip


def at(text: str) -> float:
    """``2026-01-02 03:04`` in UTC, as seconds since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def pack(*records: ExchangeRecord) -> PackedBatch:
    rows = PackedRows(Bell())
    for one in records:
        rows.add(one)
    return rows.list_next(len(rows))


@contextmanager
def book() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    try:
        yield connection
    finally:
        connection.close()


def enter(connection: sqlite3.Connection, ended: float, **rest: Any) -> None:
    row = {**_ROW, "ended": ended, **rest}
    names, places = ", ".join(COLUMNS), ", ".join("?" * len(COLUMNS))
    values = [row[name] for name in COLUMNS]
    row_id = connection.execute(
        f"INSERT INTO exchanges ({names}) VALUES ({places})", values
    ).lastrowid
    assert row_id is not None
    enter_hours(connection, row_id, row_id, ended, ended)
