"""Changes of keys in the state file: each function is one step of the caller's transaction.

Every change adds a line to the audit table, and raises the version that all instances check.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace

from casedesk_proxy.keystore.rows import COLUMNS, StoredKey, change_version, make_key
from casedesk_proxy.terms import record
from casedesk_proxy.wording import bounded, spell_time

__all__ = [
    "MAX_KEYS",
    "Author",
    "KeyFault",
    "alter",
    "expire",
    "issue",
    "missing_key",
    "note_use",
    "revoke",
    "rotate",
]

#: How many keys there may be that are not revoked. Reading them takes a tenth of a second, in a
#: thread.
MAX_KEYS = 20_000
#: Characters of a name that an error repeats.
_MAX_NAME_CHARS = 100


#: The code by status, for faults without their own code.
_CODES = {400: "invalid_request", 409: "conflict", 413: "request_too_large"}


class KeyFault(Exception):
    """What is wrong with a change: ``field`` is at fault. ``status`` is an HTTP status: 400
    invalid, 404 no such key, 409 the key exists already. ``code`` is for programs."""

    def __init__(self, field: str, message: str, status: int = 400, code: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.message = message
        self.status = status
        self.code = code or _CODES[status]


@record
class Author:
    """Who makes a change, and when in seconds since 1970."""

    name: str
    now: float


def issue(
    connection: sqlite3.Connection, key: StoredKey, author: Author, most: int = MAX_KEYS
) -> None:
    """Add a new key. Raises KeyFault."""
    (count,) = connection.execute("SELECT count(*) FROM keys WHERE ended IS NULL").fetchone()
    if count >= most:
        raise KeyFault("", f"there are already {most} keys; revoke some first", 409)
    if _find(connection, key.name) is not None:
        raise KeyFault("name", f"a key named {key.name} already exists; revoke or rotate it", 409)
    _insert(connection, replace(key, created=key.created or author.now))
    _note(connection, author, "new", key.name, _describe(key))


def revoke(connection: sqlite3.Connection, name: str, author: Author) -> None:
    """Revoke the key, and the one that it replaced. Raises KeyFault."""
    _require(connection, name)
    connection.execute(
        "UPDATE keys SET ended = ? WHERE name = ? AND ended IS NULL", (author.now, name)
    )
    _note(connection, author, "revoke", name, "")


def expire(connection: sqlite3.Connection, name: str, when: float | None, author: Author) -> None:
    """Set when it expires; None: never. Raises KeyFault."""
    _require(connection, name)
    connection.execute(
        "UPDATE keys SET expires = ? WHERE name = ? AND ended IS NULL AND NOT replaced",
        (when, name),
    )
    _note(connection, author, "expire", name, _spell_expiry(when))


def alter(
    connection: sqlite3.Connection,
    name: str,
    revise: Callable[[StoredKey], StoredKey],
    author: Author,
) -> StoredKey:
    """``revise`` returns the key with its new deployments, limits, note, rights and expiry: all but
    the expiry also apply to the key that it replaced, which is valid for a while. Unchanged parts
    add no line. Returns the changed key. Raises KeyFault."""
    old = _require(connection, name)
    new = revise(old)
    if not (changes := _list_changes(old, new)):
        return old
    connection.execute(
        "UPDATE keys SET deployments = ?, note = ?, admin = ?, limits = ?"
        " WHERE name = ? AND ended IS NULL",
        (json.dumps(new.deployments), new.note, new.admin, new.limits, name),
    )
    connection.execute(
        "UPDATE keys SET expires = ? WHERE name = ? AND ended IS NULL AND NOT replaced",
        (new.expires, name),
    )
    _note(connection, author, "set", name, "; ".join(changes))
    return new


def rotate(
    connection: sqlite3.Connection, name: str, sha256: str, grace_s: float, author: Author
) -> None:
    """Replace the key of that name with a new one with the same rights. The old one is valid for
    ``grace_s`` more, but no longer than before; 0: it is revoked. Raises KeyFault."""
    old = _require(connection, name)
    if old.expires is not None and old.expires <= author.now:
        raise KeyFault(
            "name", f"the key {name} has expired, and so would the new one; set another end first",
            409,
        )  # fmt: skip
    until = author.now + grace_s
    if old.expires is not None:
        until = min(until, old.expires)
    # A key that was replaced before has its own end, and gets no more time.
    if grace_s > 0:
        change, values = "replaced = 1, expires = ?", (until, name)
    else:
        change, values = "ended = ?", (author.now, name)
    connection.execute(
        f"UPDATE keys SET {change} WHERE name = ? AND ended IS NULL AND NOT replaced", values
    )
    _insert(connection, replace(old, sha256=sha256, created=author.now, used=None))
    _note(connection, author, "rotate", name, f"the old one is valid for {grace_s:g} s more")


def note_use(connection: sqlite3.Connection, used: dict[str, float]) -> None:
    """Set when keys were last used, by name. Unknown names are ignored."""
    connection.executemany(
        "UPDATE keys SET used = max(coalesce(used, 0), ?)"
        " WHERE name = ? AND ended IS NULL AND NOT replaced",
        [(when, name) for name, when in used.items()],
    )


def _require(connection: sqlite3.Connection, name: str) -> StoredKey:
    found = _find(connection, name)
    if found is None:
        raise missing_key(name)
    return found


def missing_key(name: str) -> KeyFault:
    """The state file has no key of that name."""
    return KeyFault(
        "name",
        f"the state file has no key {bounded(name, _MAX_NAME_CHARS)}; keys of the"
        " configuration are changed there; `casedesk-proxy key list` names those of the file",
        404, code="key_not_found",
    )  # fmt: skip


def _find(connection: sqlite3.Connection, name: str) -> StoredKey | None:
    row = connection.execute(
        f"SELECT {COLUMNS} FROM keys WHERE name = ? AND ended IS NULL AND NOT replaced", (name,)
    ).fetchone()
    return None if row is None else make_key(row)


def _insert(connection: sqlite3.Connection, key: StoredKey) -> None:
    values = (
        key.name, key.sha256, json.dumps(key.deployments), key.note, key.admin, key.limits,
        key.created, key.used, key.expires,
    )  # fmt: skip
    try:
        connection.execute(
            "INSERT INTO keys (name, sha256, deployments, note, admin, limits, created, used,"
            " expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
    except sqlite3.IntegrityError as error:
        raise KeyFault(
            "sha256", "belongs to another key, perhaps a revoked one; create a new key", 409
        ) from error


def _describe(key: StoredKey) -> str:
    parts = [f"deployments {', '.join(key.deployments) or 'none'}", *(["admin"] * key.admin)]
    if key.limits != "{}":
        parts.append(f"limits {key.limits}")
    return "; ".join(parts)


def _list_changes(old: StoredKey, new: StoredKey) -> list[str]:
    """The changed parts of a key with their old values, for the audit table."""
    changes = []
    for what, before, now in (
        ("deployments", ", ".join(old.deployments), ", ".join(new.deployments)),
        ("note", old.note, new.note),
        ("admin", "yes" if old.admin else "no", "yes" if new.admin else "no"),
        ("expires", _spell_expiry(old.expires), _spell_expiry(new.expires)),
    ):
        if before != now:
            changes.append(f"{what} {now or 'none'} (before: {before or 'none'})")
    before_limits, limits = json.loads(old.limits), json.loads(new.limits)
    changes += [
        f"{name} {_spell_limit(limits, name)} (before: {_spell_limit(before_limits, name)})"
        for name in {**before_limits, **limits}
        if _spell_limit(limits, name) != _spell_limit(before_limits, name)
    ]
    return changes


def _spell_limit(limits: dict[str, object], name: str) -> str:
    if name not in limits:
        return "default"
    return "none" if limits[name] is None else json.dumps(limits[name])


def _spell_expiry(when: float | None) -> str:
    return "never" if when is None else spell_time(when)


def _note(
    connection: sqlite3.Connection, author: Author, action: str, name: str, detail: str
) -> None:
    connection.execute(
        "INSERT INTO key_audit (at, actor, action, name, detail) VALUES (?, ?, ?, ?, ?)",
        (author.now, author.name, action, name, detail),
    )
    change_version(connection)
