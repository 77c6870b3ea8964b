"""Facts about the state file itself, by name: its origin, and numbers that only grow."""

from __future__ import annotations

import sqlite3

__all__ = ["count_up", "raise_number", "read_number", "read_origin"]

_READ = "SELECT value FROM facts WHERE name = ?"
_COUNT_UP = """
    INSERT INTO facts VALUES (?, '1')
    ON CONFLICT DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)
"""
_RAISE = """
    INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE
    SET value = max(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER))
"""


def read_origin(connection: sqlite3.Connection) -> str:
    """The file's name among those of several hosts."""
    (origin,) = connection.execute(_READ, ("origin",)).fetchone()
    return str(origin)


def read_number(connection: sqlite3.Connection, name: str) -> int:
    """0 if it was never written."""
    found = connection.execute(_READ, (name,)).fetchone()
    return int(found[0]) if found else 0


def count_up(connection: sqlite3.Connection, name: str) -> None:
    """Increase it, so that a reader of the former number reads the rest again."""
    connection.execute(_COUNT_UP, (name,))


def raise_number(connection: sqlite3.Connection, name: str, value: int) -> None:
    """A later but smaller value changes nothing."""
    connection.execute(_RAISE, (name, str(value)))
