"""Reads the ledger for limits: earlier use, and what others use now."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Protocol, TypeVar

from casedesk_proxy.limits.book import Book
from casedesk_proxy.limits.past import Past, ScopeName, Spent
from casedesk_proxy.limits.windows import Calendar, Moment
from casedesk_proxy.store.schema import StoreError

__all__ = ["Follower", "PastReader"]

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds between two reads of what others have written to the ledger. The use of other processes
#: of this host arrives there within 0.2 s, that of other hosts within half a second; a process that
#: writes itself notices it 0.15 s later at most.
_LOOK_S = 0.3
#: Rows that are counted in one round of the loop: a millisecond.
_MAX_STEP_ROWS = 500
#: Seconds that reading the ledger's past may delay a start, or a question about it.
_PAST_WAIT_S = 10.0


class PastReader(Protocol):
    """The ledger, as `ledger.past.LedgerReader` reads it: in a thread, one call at a time. The
    other methods are the loop's."""

    def read_past(self, calendar: Calendar, now: Moment, wanted: Container[ScopeName]) -> Past: ...

    def knows_all(self) -> bool: ...

    def read_new(self) -> Sequence[Spent]: ...

    def hold(self) -> None: ...

    def release(self) -> None: ...

    def list_ended(self, place: int) -> tuple[int, Sequence[Spent]]: ...


class Follower:
    """Keeps ``book`` up to date from ``past``; None: there is no ledger. ``running`` returns when a
    scope's running requests began."""

    def __init__(
        self,
        book: Book,
        past: PastReader | None,
        now: Callable[[], Moment],
        running: Callable[[ScopeName], Iterable[float]],
        *,
        look_s: float = _LOOK_S,
        past_wait_s: float = _PAST_WAIT_S,
    ) -> None:
        self._book = book
        self._past = past
        self._now = now
        self._running = running
        self._look_s = look_s
        self._past_wait_s = past_wait_s
        self._reading: asyncio.Future[bool] | None = None
        self._lock = asyncio.Lock()
        self._is_wanted = asyncio.Event()
        self._fault = ""

    def begin_anew(self) -> None:
        """More is counted than before, or in another way: read the ledger again from the month's
        beginning on."""
        self._is_wanted.set()

    async def start(self) -> None:
        """Read the earlier use, if there is a ledger, for up to some seconds."""
        if self._is_wanted.is_set() and not await self.read_now():
            log.warning("earlier use is not known yet: reading the ledger takes long")

    async def follow(self) -> None:
        """Runs until cancelled; nothing is read before there is something to count."""
        if self._book.is_empty:
            await self._is_wanted.wait()
        while self._past is not None:
            if self._is_wanted.is_set() and await self.read_past():
                continue
            # `asyncio.wait_for` would forget a cancel on Python 3.11.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_s):
                    await self._is_wanted.wait()
                continue
            if not self._past.knows_all():
                await self._read_new()

    async def read_now(self) -> bool:
        """Read the earlier use, for up to some seconds, or wait for a read that is running;
        whether that has ended. It continues if the caller is cancelled, whose thread would read to
        the end without a result."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(self.read_past())
        _, late = await asyncio.wait([self._reading], timeout=self._past_wait_s)
        return not late

    async def read_past(self) -> bool:
        """Whether the book has been made again."""
        if (past := self._past) is None:
            self._is_wanted.clear()
            return False
        async with self._lock:
            self._is_wanted.clear()
            calendar, now, wanted = self._book.calendar, self._now(), self._book.scopes
            past.hold()
            try:
                found = await self._read(lambda: past.read_past(calendar, now, wanted))
                if found is not None:
                    for _ in self._book.replace(found, self._running, past.list_ended, self._now):
                        await asyncio.sleep(0)
            finally:
                past.release()
        if found is None:
            await asyncio.sleep(self._look_s)
            self._is_wanted.set()
        return found is not None

    async def _read_new(self) -> None:
        assert self._past is not None
        async with self._lock:
            rows = await self._read(self._past.read_new) or ()
            # While this process could not read, others may have written thousands.
            for start in range(0, len(rows), _MAX_STEP_ROWS):
                if start:
                    await asyncio.sleep(0)
                self._book.take(rows[start : start + _MAX_STEP_ROWS], self._now())

    async def _read(self, read: Callable[[], T]) -> T | None:
        """None if the ledger cannot be read, which is logged once."""
        try:
            found = await asyncio.to_thread(read)
        except (StoreError, OSError, sqlite3.Error) as error:
            if str(error) != self._fault:
                self._fault = str(error)
                log.warning(
                    "the ledger cannot be read: %s. Limits count what this process sees", error
                )
            return None
        self._fault = ""
        return found
