"""Sessions and users in the state file. A number shows changes, see `book`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from casedesk_proxy.store.facts import count_up, read_number
from casedesk_proxy.store.writer import Insert

__all__ = [
    "TOUCH",
    "Session",
    "StoredUser",
    "end_session",
    "keep_session",
    "keep_user",
    "read_all",
    "read_version",
    "remove_user",
]

#: The name of the number that `read_version` reads.
_VERSION = "console"


@dataclass(frozen=True, slots=True)
class Session:
    """``digest`` is the SHA-256 of its id in hex; ``proof`` that of the credential: of the key, or
    of the password's hash, so that the session ends with it. ``way``: key, password or proxy. Times
    are seconds since 1970."""

    digest: str = field(repr=False)
    name: str
    way: str
    proof: str = field(repr=False)
    made: float
    seen: float
    expires: float


@dataclass(frozen=True, slots=True)
class StoredUser:
    """See `config.console.User`; ``limits`` is the section of that name as JSON."""

    name: str
    password: str = field(repr=False)
    deployments: tuple[str, ...]
    admin: bool
    note: str = ""
    limits: str = "{}"
    made: float = 0.0


#: Notes the use of a session: (seen, digest). Other instances read it later.
TOUCH = Insert("UPDATE sessions SET seen = max(seen, ?) WHERE digest = ?", tuple)


def keep_session(connection: sqlite3.Connection, session: Session, now: float) -> None:
    """Also deletes ended sessions."""
    connection.execute("DELETE FROM sessions WHERE expires <= ?", (now,))
    connection.execute(
        "INSERT INTO sessions (digest, name, way, proof, made, seen, expires)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (session.digest, session.name, session.way, session.proof, session.made, session.seen,
         session.expires),
    )  # fmt: skip
    _note(connection)


def end_session(connection: sqlite3.Connection, digest: str) -> None:
    connection.execute("DELETE FROM sessions WHERE digest = ?", (digest,))
    _note(connection)


def keep_user(connection: sqlite3.Connection, user: StoredUser) -> bool:
    """Returns whether the name is new; an existing user gets the new password and rights."""
    known = connection.execute("SELECT 1 FROM users WHERE name = ?", (user.name,)).fetchone()
    connection.execute(
        "INSERT OR REPLACE INTO users (name, password, deployments, admin, note, limits, made)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (user.name, user.password, json.dumps(user.deployments), user.admin, user.note,
         user.limits, user.made),
    )  # fmt: skip
    _note(connection)
    return known is None


def remove_user(connection: sqlite3.Connection, name: str) -> bool:
    """Returns whether there was one."""
    removed = connection.execute("DELETE FROM users WHERE name = ?", (name,)).rowcount
    _note(connection)
    return removed > 0


def read_version(connection: sqlite3.Connection) -> int:
    return read_number(connection, _VERSION)


def read_all(connection: sqlite3.Connection) -> tuple[list[Session], list[StoredUser]]:
    sessions = connection.execute(
        "SELECT digest, name, way, proof, made, seen, expires FROM sessions"
    )
    users: Iterable[tuple[str, str, str, int, str, str, float]] = connection.execute(
        "SELECT name, password, deployments, admin, note, limits, made FROM users ORDER BY name"
    )
    return [Session(*row) for row in sessions], [
        StoredUser(name, password, tuple(json.loads(opened)), bool(admin), note, limits, made)
        for name, password, opened, admin, note, limits, made in users
    ]


def _note(connection: sqlite3.Connection) -> None:
    count_up(connection, _VERSION)
