"""A state file, and keys for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from casedesk_proxy.keystore.changes import Author, issue
from casedesk_proxy.keystore.rows import StoredKey
from casedesk_proxy.store.file import open_writer

#: In seconds since 1970: 2026-11-29, 12:00 UTC.
NOON = 1_795_953_600.0
BY = Author("somebody", NOON)


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def made(name: str, secret: str = "", **more: Any) -> StoredKey:
    """A key whose secret is its name, unless another is given."""
    more.setdefault("deployments", ("d",))
    return StoredKey(name, digest(secret or name), **more)


def enter(path: Path, *keys: StoredKey, by: Author = BY) -> None:
    with changing(path) as connection:
        for key in keys:
            issue(connection, key, by)


@contextmanager
def changing(path: Path) -> Iterator[sqlite3.Connection]:
    """A transaction."""
    connection = open_writer(path)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()
