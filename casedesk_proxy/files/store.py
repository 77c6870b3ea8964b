"""The file store as the event loop uses it: nothing here waits for a disk but in a thread."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from casedesk_proxy.errors import Busy, NotFound
from casedesk_proxy.files.contents import ContentReader, Contents
from casedesk_proxy.files.rows import find_file
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.store.file import open_reader
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["FileStore", "OpenFile"]

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Threads that read and write contents; more of them make one disk no faster.
_MAX_THREADS = 4


class FileStore:
    """``state``: the state file, started; ``directory``: where contents lie. ``now``: seconds since
    1970. ``close`` must be called."""

    def __init__(
        self, state: StoreWriter, directory: Path, *, now: Callable[[], float] = time.time
    ) -> None:
        self.directory = directory
        self._state = state
        self._contents = Contents(directory)
        self._now = now
        self._threads = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="files")

    def close(self) -> None:
        """Waits for no thread, which may hang in a disk."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def find(self, owner: str, ident: str) -> StoredFile | None:
        """A file that ``owner``, the name of a key, may use now, by what `read_id` found. None: it
        does not exist, has expired, is being uploaded, or belongs to another. Raises Busy (503)
        where the store cannot be read."""
        now = self._now()
        return await self._read(lambda connection: find_file(connection, owner, ident, now))

    async def open(self, file: StoredFile) -> OpenFile:
        """To read its content. Raises NotFound where it has been deleted meanwhile, and Busy (503)
        where the disk cannot be read."""
        return OpenFile(self, file, await self.run(lambda: self._contents.open(file.id)))

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def read() -> T:
            with open_reader(self._state.path) as connection:
                return work(connection)

        return await self.run(read)

    def perform(self, work: Callable[[], None]) -> None:
        """In a thread, and nobody waits for it; at once where the store has been closed."""
        try:
            self._threads.submit(work)
        except RuntimeError:
            work()

    async def run(self, work: Callable[[], T]) -> T:
        """In a thread. A disk's fault becomes an error that tells a client nothing of paths."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except FileNotFoundError:
            raise NotFound("the file has been deleted", code="file_not_found") from None
        except (OSError, StoreError, sqlite3.Error) as error:
            log.error("the file store cannot be used: %s", error)
            raise _unusable() from None


class OpenFile:
    """The content of ``file``, read piece by piece. ``close`` must be called, from wherever."""

    def __init__(self, store: FileStore, file: StoredFile, reader: ContentReader) -> None:
        self.file = file
        self._store = store
        self._reader = reader
        self._at = 0

    async def read(self, most: int) -> bytes:
        """The next ``most`` bytes, fewer only at the end, b"" behind it. One call at a time. Raises
        Busy (503) where the disk cannot be read."""
        at = self._at
        data = await self._store.run(lambda: self._reader.read(most, at))
        self._at += len(data)
        return data

    def close(self) -> None:
        self._store.perform(self._reader.close)


def _unusable() -> Busy:
    return Busy(
        "the file store cannot be used now; the proxy's log says why",
        status=503,
        code="file_store_unavailable",
    )
