"""State files and stores for the tests of files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from casedesk_proxy.config.files import Files
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.store.file import FILE_NAME
from casedesk_proxy.store.writer import StoreWriter

NOW = 1_700_000_000.0
_FILE: dict[str, Any] = {
    "id": "a1", "owner": "alice", "name": "n.txt", "mime_type": "text/plain", "size": 3,
    "sha256": "00", "made": NOW - 10, "expires": NOW + 10, "chosen": None, "purpose": "",
    "surface": "gemini", "declared": None, "permit": None,
}  # fmt: skip


def insert(connection: sqlite3.Connection, **values: Any) -> None:
    """Insert a file as if it had been uploaded."""
    row = _FILE | values
    names = ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO files ({', '.join(row)}) VALUES ({names})", row)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@contextmanager
def opened(folder: Path, clock: Clock, **settings: Any) -> Iterator[FileStore]:
    """A store, as if in a process of its own; several may share a folder."""
    state = StoreWriter(folder / FILE_NAME, gather_s=0.001)
    state.start()
    store = FileStore(
        state, folder / "files", lambda: Files(**settings), now=clock, min_free_bytes=0,
        busy_pauses_s=(0.01,),
    )  # fmt: skip
    try:
        yield store
    finally:
        store.close()
        state.close(5)
