"""The tables of the state file, and the migrations of older files.

A file's ``user_version`` is the number of migrations that were applied to it. To change a table,
append a migration; existing migrations never change, since files have already applied them. While
an upgrade drains, a process of the former version still writes into the migrated file: leave its
statements for `exchanges` valid, or the rows of its last streams are lost.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence

__all__ = ["MIGRATIONS", "StoreError", "check_form", "migrate"]

#: Marks a SQLite file as ours.
_MARK = int.from_bytes(b"CDPx")

#: One tuple of statements for each migration. Times are seconds since 1970, durations seconds.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # Facts about the file itself. ``origin`` names it among the files of several hosts.
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        # One row for each exchange. An id is never used twice; NULL: not known.
        """CREATE TABLE exchanges (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            request TEXT NOT NULL, ended REAL NOT NULL,
            key TEXT NOT NULL, deployment TEXT NOT NULL, surface TEXT NOT NULL,
            action TEXT NOT NULL, asked TEXT NOT NULL, model TEXT NOT NULL, node TEXT NOT NULL,
            status INTEGER NOT NULL, ending TEXT NOT NULL, code TEXT NOT NULL,
            prompt INTEGER, output INTEGER, cached INTEGER, thoughts INTEGER,
            estimated INTEGER NOT NULL,
            first_byte REAL, duration REAL NOT NULL, queued REAL NOT NULL
        )""",
        "CREATE INDEX exchanges_by_time ON exchanges (ended)",
        # The sums of pruned exchanges. A day is UTC's, as YYYY-MM-DD.
        """CREATE TABLE days (
            day TEXT NOT NULL, key TEXT NOT NULL, deployment TEXT NOT NULL, model TEXT NOT NULL,
            exchanges INTEGER NOT NULL, failed INTEGER NOT NULL, estimated INTEGER NOT NULL,
            prompt INTEGER NOT NULL, output INTEGER NOT NULL,
            cached INTEGER NOT NULL, thoughts INTEGER NOT NULL, duration REAL NOT NULL,
            PRIMARY KEY (day, key, deployment, model)
        ) WITHOUT ROWID""",
    ),
    (
        # Keys by their SHA-256 in hex. ``deployments`` is a JSON list, ``limits`` the section of
        # that name as JSON. Revoked keys (``ended``) stay: the ledger contains their names.
        """CREATE TABLE keys (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL, sha256 TEXT NOT NULL UNIQUE, deployments TEXT NOT NULL,
            note TEXT NOT NULL, admin INTEGER NOT NULL, limits TEXT NOT NULL,
            created REAL NOT NULL, used REAL, expires REAL, ended REAL,
            replaced INTEGER NOT NULL DEFAULT 0
        )""",
        """CREATE UNIQUE INDEX keys_by_name ON keys (name) WHERE ended IS NULL AND NOT replaced""",
        # Who changed which key, and how.
        """CREATE TABLE key_audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at REAL NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, name TEXT NOT NULL,
            detail TEXT NOT NULL
        )""",
    ),
    (
        # What other hosts used recently, from the database that they share with this one.
        """CREATE TABLE elsewhere (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            request TEXT NOT NULL, key TEXT NOT NULL, deployment TEXT NOT NULL,
            surface TEXT NOT NULL, prompt INTEGER, output INTEGER, thoughts INTEGER,
            ended REAL NOT NULL, duration REAL NOT NULL, node TEXT NOT NULL
        )""",
        "CREATE INDEX elsewhere_by_time ON elsewhere (ended)",
    ),
    (
        # Files that clients uploaded; contents are in a directory, by id. ``owner`` is a key's
        # name, ``chosen`` the id that a client chose. Without ``sha256`` it is an unfinished
        # upload: ``size`` is its largest size, ``declared`` the size that its client announced,
        # ``permit`` the SHA-256 of the secret that lets a client continue it.
        """CREATE TABLE files (
            id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL,
            mime_type TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT,
            made REAL NOT NULL, expires REAL, chosen TEXT, purpose TEXT NOT NULL,
            surface TEXT NOT NULL, declared INTEGER, permit TEXT UNIQUE
        ) WITHOUT ROWID""",
        "CREATE INDEX files_by_owner ON files (owner, id)",
        """CREATE UNIQUE INDEX files_by_choice ON files (owner, chosen)
            WHERE chosen IS NOT NULL AND sha256 IS NOT NULL""",
        "CREATE INDEX files_by_expiry ON files (expires) WHERE expires IS NOT NULL",
    ),
    (
        # Sessions of the console, by the SHA-256 of the session's id in hex. ``proof`` is that of
        # the credential that was shown, so that a session ends with it.
        """CREATE TABLE sessions (
            digest TEXT PRIMARY KEY, name TEXT NOT NULL, way TEXT NOT NULL, proof TEXT NOT NULL,
            made REAL NOT NULL, seen REAL NOT NULL, expires REAL NOT NULL
        ) WITHOUT ROWID""",
        # Users who may sign in by name. ``deployments`` and ``limits`` are as those of keys.
        """CREATE TABLE users (
            name TEXT PRIMARY KEY, password TEXT NOT NULL, deployments TEXT NOT NULL,
            admin INTEGER NOT NULL, note TEXT NOT NULL, limits TEXT NOT NULL, made REAL NOT NULL
        ) WITHOUT ROWID""",
    ),
    (
        # From where and with which names signing in failed, shortened so that they cannot be read
        # here: how often, and when last.
        """CREATE TABLE sign_in_failures (
            who TEXT PRIMARY KEY, count INTEGER NOT NULL, last REAL NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX sign_in_failures_by_time ON sign_in_failures (last)",
    ),
    (
        # Which rows ended in an hour since 1970: all have ids from ``first`` to ``last``; rows of
        # other hours may have some of these ids. See `ledger.hours`.
        """CREATE TABLE hours (
            hour INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL
        )""",
        "CREATE INDEX hours_by_last ON hours (last)",
        """INSERT INTO hours
            SELECT CAST(ended / 3600 AS INTEGER), min(id), max(id) FROM exchanges GROUP BY 1""",
        "DROP INDEX exchanges_by_time",
        """CREATE VIEW exchanges_by_hour AS
            SELECT hours.hour AS hour, exchanges.* FROM hours CROSS JOIN exchanges
            WHERE exchanges.id BETWEEN hours.first AND hours.last
                AND CAST(exchanges.ended / 3600 AS INTEGER) = hours.hour""",
    ),
    (
        # Without the surface and the thoughts, which limits do not use. Written by hand: SQLite
        # before 3.35 cannot drop a column.
        """CREATE TABLE elsewhere_now (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            request TEXT NOT NULL, key TEXT NOT NULL, deployment TEXT NOT NULL,
            prompt INTEGER, output INTEGER,
            ended REAL NOT NULL, duration REAL NOT NULL, node TEXT NOT NULL
        )""",
        """INSERT INTO elsewhere_now
            SELECT id, request, key, deployment, prompt, output, ended, duration, node
            FROM elsewhere""",
        "DROP TABLE elsewhere",
        "ALTER TABLE elsewhere_now RENAME TO elsewhere",
        "CREATE INDEX elsewhere_by_time ON elsewhere (ended)",
    ),
)


class StoreError(Exception):
    """The state file cannot be used; the message says why and what to do, without its name."""


def migrate(
    connection: sqlite3.Connection, migrations: Sequence[tuple[str, ...]] = MIGRATIONS
) -> None:
    """Migrate the file to the newest form, in one transaction; several processes may try at once.

    Raises StoreError, and sqlite3.Error if the file cannot be used.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = check_form(connection, len(migrations))
        for statements in migrations[done:]:
            for statement in statements:
                connection.execute(statement)
        if not done:
            connection.execute(f"PRAGMA application_id = {_MARK}")
            connection.execute("INSERT INTO facts VALUES ('origin', ?)", (uuid.uuid4().hex,))
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def check_form(connection: sqlite3.Connection, known: int = len(MIGRATIONS)) -> int:
    """The number of migrations that were applied to the file. Raises StoreError for the file of
    another program, and for a file of a newer version, with more migrations than are ``known``."""
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if mark != _MARK and tables:
        raise StoreError("it belongs to another program; set another state_directory")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > known:
        raise StoreError(
            f"a newer version of the proxy wrote it (format {version}, this one supports"
            f" {known}); upgrade this one, or set another state_directory"
        )
    return int(version)
