"""Keys as rows of the state file: by the SHA-256 of each, never the key itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from casedesk_proxy.store.facts import count_up, read_number
from casedesk_proxy.terms import record

__all__ = [
    "COLUMNS",
    "AuditEntry",
    "StoredKey",
    "change_version",
    "describe_key",
    "make_key",
    "read_audit",
    "read_keys",
    "read_version",
]

#: How many former keys, the latest, are remembered for error messages.
_MAX_ENDED_KEYS = 1000


@record
class StoredKey:
    """``limits`` is the section of that name as JSON. Times in seconds since 1970: ``used`` the
    last time, accurate to a minute; ``expires``: from then on it is not valid; ``ended``: when it
    was revoked. None: not yet. ``replaced``: rotated, and still valid for a while."""

    name: str
    sha256: str
    deployments: tuple[str, ...]
    note: str = ""
    admin: bool = False
    limits: str = "{}"
    created: float = 0.0
    used: float | None = None
    expires: float | None = None
    ended: float | None = None
    replaced: bool = False

    def opens(self, now: float) -> bool:
        return self.ended is None and (self.expires is None or now < self.expires)


@record
class AuditEntry:
    """What ``actor`` did to the key of that name, and when."""

    at: float
    actor: str
    action: str
    name: str
    detail: str


#: The name of the version number in the file.
_VERSION = "keys"
#: In the order in which `make_key` takes them.
COLUMNS = "name, sha256, deployments, note, admin, limits, created, used, expires, ended, replaced"


def read_version(connection: sqlite3.Connection) -> int:
    """A number that differs after each change of the keys. Times of last use do not count."""
    return read_number(connection, _VERSION)


def change_version(connection: sqlite3.Connection) -> None:
    """Must be called in the transaction of the change."""
    count_up(connection, _VERSION)


def read_keys(connection: sqlite3.Connection, most_ended: int = _MAX_ENDED_KEYS) -> list[StoredKey]:
    """All keys that were not revoked, by name, each after the ones that it replaced; then the
    latest revoked ones."""
    return [
        *_read(connection, "ended IS NULL ORDER BY name, id"),
        *_read(connection, f"ended IS NOT NULL ORDER BY ended DESC, id LIMIT {most_ended:d}"),
    ]


def read_audit(connection: sqlite3.Connection, most: int) -> list[AuditEntry]:
    """The latest first."""
    rows = connection.execute(
        "SELECT at, actor, action, name, detail FROM key_audit ORDER BY id DESC LIMIT ?", (most,)
    )
    return [AuditEntry(*row) for row in rows]


def make_key(row: tuple[Any, ...]) -> StoredKey:
    name, digest, deployments, note, admin, limits, created, used, expires, ended, replaced = row
    return StoredKey(
        name, digest, tuple(json.loads(deployments)), note, bool(admin), limits, created, used,
        expires, ended, bool(replaced),
    )  # fmt: skip


def describe_key(key: StoredKey) -> dict[str, object]:
    """For programs. They do not need the hash."""
    shown = asdict(key)
    del shown["sha256"]
    return {**shown, "limits": json.loads(key.limits)}


def _read(connection: sqlite3.Connection, which: str) -> Iterator[StoredKey]:
    for row in connection.execute(f"SELECT {COLUMNS} FROM keys WHERE {which}"):
        yield make_key(row)
