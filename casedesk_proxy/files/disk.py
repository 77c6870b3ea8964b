"""Work that waits for a disk, done in threads: on contents, and on the state file."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from casedesk_proxy.errors import Busy, NotFound
from casedesk_proxy.files.threads import DiskThreads
from casedesk_proxy.store.file import open_reader
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["Disk"]

log = logging.getLogger(__name__)

T = TypeVar("T")

_FAULTS = (OSError, StoreError, sqlite3.Error, TimeoutError)


class Disk:
    """``state``: the state file, started. ``close`` must be called. Raises Busy (503) if something
    cannot be read or written; the error contains no paths, and the log explains it once."""

    def __init__(self, state: StoreWriter, threads: DiskThreads | None = None) -> None:
        self.state = state
        self._threads = threads or DiskThreads()
        self._fault = ""

    def close(self) -> None:
        """Waits for no thread, since one may hang."""
        self._threads.close()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run it; the caller need not wait for the result."""
        return self._threads.submit(work)

    async def run(self, work: Callable[[], T]) -> T:
        """Raises NotFound if a content is gone."""
        return await self.wait(self._threads.submit(work))

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of ``work``, which reads the state file."""

        def read() -> T:
            with open_reader(self.state.path) as connection:
                return work(connection)

        return await self.run(read)

    async def perform(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """A transaction of the state file."""
        return await self.wait(self.state.perform(work))

    async def wait(self, future: Future[T]) -> T:
        try:
            result = await asyncio.wrap_future(future)
        except _FAULTS as error:
            raise self.explain(error) from None
        self._fault = ""
        return result

    def explain(self, error: BaseException) -> BaseException:
        """The error that the client gets for it."""
        if isinstance(error, FileNotFoundError):
            return NotFound("the file has been deleted; upload it again", code="file_not_found")
        if not isinstance(error, _FAULTS):
            return error
        if str(error) != self._fault:
            self._fault = str(error)
            log.error("the file store cannot be used: %s", error)
        return Busy(
            "the file store cannot be used now; try again later, and look into the proxy's log",
            status=503,
            code="file_store_unavailable",
        )
