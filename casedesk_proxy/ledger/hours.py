"""Which rows of the ledger ended in which hour, so that rows of a span of time are found quickly.

An index on their times would have an entry for each row, which takes a third of the row's own time.
Rows are entered nearly in the order of their times, hundreds in one transaction, so the first and
the last id of each hour are nearly as good. All rows of an hour are between these two; rows of
other hours may be there too, if a clock was set or several processes wrote.
"""

from __future__ import annotations

import sqlite3

__all__ = ["HOUR_S", "cover", "enter_hours", "rows_within"]

HOUR_S = 3600
_WIDEN = """
    ON CONFLICT DO UPDATE
    SET first = min(first, excluded.first), last = max(last, excluded.last)
"""
_ENTER = f"INSERT INTO hours VALUES (?, ?, ?) {_WIDEN}"
_LAST = "SELECT coalesce(max(last), 0) FROM hours"
#: The WHERE is for SQLite, which would read ON as part of a join.
_COVER = f"""
    INSERT INTO hours SELECT CAST(ended / {HOUR_S} AS INTEGER), min(id), max(id) FROM exchanges
    WHERE id > ? AND id < ? GROUP BY 1 {_WIDEN}
"""


def enter_hours(
    connection: sqlite3.Connection, first: int, last: int, earliest: float, latest: float
) -> None:
    """Note rows with these ids, which were entered in the caller's transaction, by the times when
    they ended, in seconds since 1970."""
    # The view in SQLite divides in the same way: its hours and these must be equal.
    for hour in range(int(earliest / HOUR_S), int(latest / HOUR_S) + 1):
        connection.execute(_ENTER, (hour, first, last))


def cover(connection: sqlite3.Connection, first: int) -> None:
    """Enter the hours of rows before that id: an earlier version that was being replaced has
    entered them without hours."""
    (last,) = connection.execute(_LAST).fetchone()
    if last < first - 1:
        connection.execute(_COVER, (last, first))


def rows_within(since: str, until: str) -> str:
    """SQL: FROM and the beginning of WHERE for rows that ended in a span; both are expressions."""
    return (
        f"FROM exchanges_by_hour WHERE hour BETWEEN CAST({since} / {HOUR_S} AS INTEGER)"
        f" AND CAST({until} / {HOUR_S} AS INTEGER) AND ended >= {since} AND ended < {until}"
    )
