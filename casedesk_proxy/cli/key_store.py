"""The state file for the ``key`` commands: used beside a running proxy, or before its first
start."""

from __future__ import annotations

import getpass
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from casedesk_proxy.cli.report import fail
from casedesk_proxy.keystore.changes import Author, KeyFault
from casedesk_proxy.store.file import explain, open_reader, open_writer
from casedesk_proxy.store.schema import StoreError

__all__ = ["change_keys", "look_at_keys"]

T = TypeVar("T")


def change_keys(path: Path, work: Callable[[sqlite3.Connection, Author], T]) -> T:
    """Perform ``work`` in a transaction. After an error, ends the command with nothing changed."""
    author = Author(f"command line, {_user()}", time.time())
    try:
        with closing(open_writer(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            result = work(connection, author)
            connection.execute("COMMIT")
            return result
    except KeyFault as fault:
        # The name was just typed, so the field need not be named.
        fail(fault.message if fault.field == "name" else str(fault))
    except (StoreError, OSError, sqlite3.Error) as error:
        fail(f"{path}: {explain(error)}")


def look_at_keys(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    try:
        with open_reader(path) as connection:
            return work(connection)
    except (StoreError, OSError, sqlite3.Error) as error:
        fail(f"{path}: {explain(error)}")


def _user() -> str:
    """For the audit table: the user who called sudo, or else the current user."""
    if name := os.environ.get("SUDO_USER"):
        return name
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
