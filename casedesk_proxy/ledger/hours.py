"""Which rows of the ledger ended in which hour: where to look for those of a span of time.

An index on their times would have an entry for each row, which takes a third of the time that the
row takes. Rows come nearly in the order of their times, hundreds in one transaction, so that the
first and the last id of each hour say nearly as much. All rows of an hour are between these; others
may be, too, where a clock was set or several processes wrote.
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
#: The WHERE is for SQLite, which would take ON for that of a join.
_COVER = f"""
    INSERT INTO hours SELECT CAST(ended / {HOUR_S} AS INTEGER), min(id), max(id) FROM exchanges
    WHERE id > ? AND id < ? GROUP BY 1 {_WIDEN}
"""


def enter_hours(
    connection: sqlite3.Connection, first: int, last: int, earliest: float, latest: float
) -> None:
    """Rows with these ids were entered, in the caller's transaction; when they ended, in seconds
    since 1970."""
    # As SQLite divides in the view: its hours and these must be the same ones.
    for hour in range(int(earliest / HOUR_S), int(latest / HOUR_S) + 1):
        connection.execute(_ENTER, (hour, first, last))


def cover(connection: sqlite3.Connection, first: int) -> None:
    """Enter the hours of rows before that id which an earlier version has entered without, while
    it was being replaced."""
    (last,) = connection.execute(_LAST).fetchone()
    if last < first - 1:
        connection.execute(_COVER, (last, first))


def rows_within(since: str, until: str) -> str:
    """SQL: FROM and the beginning of WHERE for rows that ended in a span; both are expressions."""
    return (
        f"FROM exchanges_by_hour WHERE hour BETWEEN CAST({since} / {HOUR_S} AS INTEGER)"
        f" AND CAST({until} / {HOUR_S} AS INTEGER) AND ended >= {since} AND ended < {until}"
    )
