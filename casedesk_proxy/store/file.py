"""The state file: its place, and how it is opened."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from casedesk_proxy.store.schema import MIGRATIONS, StoreError, check_form, migrate

__all__ = ["FILE_NAME", "explain", "find_directory", "identify", "open_reader", "open_writer"]

FILE_NAME = "state.db"
#: Seconds for which a writer waits for another process, which locks the file for milliseconds.
_BUSY_S = 5.0


def find_directory(configured: str | None, environ: Mapping[str, str]) -> Path | None:
    """The directory of the state file: ``server.state_directory``, else systemd's StateDirectory,
    else the user's. None if there is none."""
    if configured is not None:
        return Path(configured)
    if given := environ.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    if base := environ.get("XDG_STATE_HOME"):
        return Path(base) / "casedesk-proxy"
    home = environ.get("HOME", "")
    return Path(home, ".local/state/casedesk-proxy") if home.startswith("/") else None


def open_writer(path: Path, busy_s: float = _BUSY_S) -> sqlite3.Connection:
    """The file, created if it is missing, in the newest form. Transactions are the caller's.
    ``busy_s``: how long it waits for other processes that write.

    Raises StoreError, OSError and sqlite3.Error.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make(path)
    connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None)
    try:
        check_form(connection)
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(
                "its file system does not support SQLite's locking; set state_directory to a"
                " local directory"
            )
        # A crash of the process loses nothing that was committed; a power failure loses the last
        # batches.
        connection.execute("PRAGMA synchronous = NORMAL")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """Create the file if there is none. An existing file is not opened: closing it again would
    release all locks that this process has on it (fcntl(2)), which show other processes that it is
    in use; the last of those would then delete the write-ahead log."""
    try:
        # Others must not read who used what, whatever the umask is.
        made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    os.close(made)
    if os.geteuid() == 0:
        # Created by root for a service that owns the directory.
        os.chown(path, *_owners(path.parent))


def _owners(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid


def open_reader(path: Path) -> closing[sqlite3.Connection]:
    """A connection that reads while others write, in a context manager that closes it.

    Raises StoreError, also if there is no such file or it is older than this program.
    """
    if not path.exists():
        raise StoreError("does not exist; the proxy creates it when it starts")
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_BUSY_S, isolation_level=None
        )
    except sqlite3.Error as error:
        raise StoreError(explain(error)) from error
    try:
        version = check_form(connection)
        if not version:
            raise StoreError("is empty; the proxy fills it when it next writes")
        if version < len(MIGRATIONS):
            raise StoreError(
                "an older version of the proxy wrote it; the proxy converts it when it starts"
            )
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(explain(error)) from error
    except StoreError:
        connection.close()
        raise
    return closing(connection)


def identify(path: Path) -> tuple[int, int]:
    """Which file is at ``path``: it has another identity after it was replaced; zeros if there is
    none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return 0, 0
    return found.st_dev, found.st_ino


def explain(error: Exception) -> str:
    """Why the file cannot be used, and what to do, without its name."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if type(error) is sqlite3.DatabaseError:
        # Temporary errors, such as a lock or a full disk, have other classes.
        return f"{error}; restore a copy of it, or move it away and a new one is made"
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        return f"{error}; make room on its disk"
    if name.startswith("SQLITE_IOERR"):
        return f"{error}; look whether its disk is full"
    return str(error)
