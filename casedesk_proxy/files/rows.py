"""Files as they stand in the state file: each function reads, in the caller's transaction."""

from __future__ import annotations

import sqlite3
from typing import Any

from casedesk_proxy.filing.stored_file import StoredFile

__all__ = ["find_file"]

_COLUMNS = (
    "id, owner, name, mime_type, size, sha256, made, expires, coalesce(chosen, ''), purpose,"
    " surface"
)
#: Of what an owner has: whole, and not expired.
_USABLE = "owner = :owner AND sha256 IS NOT NULL AND (expires IS NULL OR expires > :now)"


def find_file(
    connection: sqlite3.Connection, owner: str, ident: str, now: float
) -> StoredFile | None:
    """By its id, or by the one that its owner chose. ``now`` in seconds since 1970."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM files WHERE {_USABLE} AND (id = :id OR chosen = :id)"
        " ORDER BY id = :id DESC LIMIT 1",
        {"owner": owner, "id": ident, "now": now},
    ).fetchone()
    return None if row is None else _make_file(row)


def _make_file(row: tuple[Any, ...]) -> StoredFile:
    return StoredFile(*row)
