"""State files and stores for the tests of files."""

from __future__ import annotations

import sqlite3
from typing import Any

from casedesk_proxy.store.schema import migrate

NOW = 1_700_000_000.0
_FILE: dict[str, Any] = {
    "id": "a1", "owner": "alice", "name": "n.txt", "mime_type": "text/plain", "size": 3,
    "sha256": "00", "made": NOW - 10, "expires": NOW + 10, "chosen": None, "purpose": "",
    "surface": "gemini", "declared": None, "ticket": None,
}  # fmt: skip


def state_file() -> sqlite3.Connection:
    """In memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    return connection


def insert(connection: sqlite3.Connection, **values: Any) -> None:
    """A file, as if it had been uploaded."""
    row = _FILE | values
    names = ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO files ({', '.join(row)}) VALUES ({names})", row)
