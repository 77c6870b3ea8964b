"""Failed attempts to sign in, and the wait before the next attempt.

Counted in the state file, so that an attacker gets no more attempts if several instances serve, nor
after a restart. Without a file each process counts for itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from casedesk_proxy.store.schema import migrate
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["SignInAttempts"]

T = TypeVar("T")

#: Failures without a wait: people mistype.
_MAX_FREE_FAILURES = 3
_MAX_WAIT_S = 60.0
#: More failures do not make the wait longer.
_MAX_COUNT = 30
#: Seconds after which a failure is forgotten.
_MEMORY_S = 900.0
#: How many addresses and names are remembered; the oldest is dropped first.
_MAX_REMEMBERED_NAMES = 10_000
#: Seconds for which a sign-in waits for the state file.
_FILE_WAIT_S = 10.0
#: Characters of a SHA-256 in hex: what a person types as a name may be a password, and names only
#: have to be distinguished.
_MAX_WHO_CHARS = 8

_FIND = "SELECT count, last FROM sign_in_failures WHERE who = ?"
_KEEP = "INSERT OR REPLACE INTO sign_in_failures VALUES (?, ?, ?)"
_FORGET = "DELETE FROM sign_in_failures WHERE who = ?"
_FORGET_OLD = "DELETE FROM sign_in_failures WHERE last <= ?"
_FORGET_OLDEST = """
    DELETE FROM sign_in_failures WHERE who IN
    (SELECT who FROM sign_in_failures ORDER BY last DESC LIMIT -1 OFFSET ?)
"""


class SignInAttempts:
    """Counted by address and by name, so that neither many names nor many addresses help an
    attacker. ``now``: seconds since 1970. Call ``close`` at the end."""

    def __init__(self, store: StoreWriter | None, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now
        #: Addresses and names that have to wait, and until when: they are answered without reading
        #: the file.
        self._waiting: dict[str, float] = {}
        self._own: sqlite3.Connection | None = None

    async def begin(self, who: Sequence[str]) -> float:
        """Seconds until one of ``who`` may try again; 0: now, and this attempt is counted as a
        failure. Raises StoreError and TimeoutError if the state file does not accept it."""
        names, now = [_shorten(one) for one in who], self._now()
        known = max(self._waiting.get(name, 0.0) for name in names)
        if known > now:
            # If the clock was set back, the wait is not longer.
            return min(known - now, _MAX_WAIT_S)
        waits_s = await self._perform(lambda file: _begin(file, names, now))
        self._note(names, waits_s, now)
        return max(waits_s)

    async def succeed(self, who: Sequence[str]) -> None:
        names = [_shorten(one) for one in who]
        await self._perform(lambda file: _succeed(file, names))

    def close(self) -> None:
        """Forget the attempts that only this process has counted."""
        if self._own is not None:
            self._own.close()
            self._own = None

    def _note(self, names: list[str], waits_s: list[float], now: float) -> None:
        if len(self._waiting) > _MAX_REMEMBERED_NAMES:
            self._waiting.clear()
        waits = zip(names, waits_s, strict=True)
        self._waiting.update({name: now + wait_s for name, wait_s in waits if wait_s > 0})

    async def _perform(self, step: Callable[[sqlite3.Connection], T]) -> T:
        if self._store is not None:
            async with asyncio.timeout(_FILE_WAIT_S):
                return await asyncio.wrap_future(self._store.perform(step))
        if self._own is None:
            self._own = sqlite3.connect(":memory:", isolation_level=None)
            migrate(self._own)
        return step(self._own)


def _begin(file: sqlite3.Connection, names: list[str], now: float) -> list[float]:
    """How long each has to wait; nothing is counted if one has to."""
    file.execute(_FORGET_OLD, (now - _MEMORY_S,))
    found = [file.execute(_FIND, (name,)).fetchone() or (0, now) for name in names]
    # Noted by a clock that was later set back: treated as now.
    counted = [(count, min(last, now)) for count, last in found]
    waits_s = [_wait_s(count, last, now) for count, last in counted]
    if max(waits_s) > 0:
        return waits_s
    for name, (count, _) in zip(names, counted, strict=True):
        file.execute(_KEEP, (name, min(count + 1, _MAX_COUNT), now))
    file.execute(_FORGET_OLDEST, (_MAX_REMEMBERED_NAMES,))
    return waits_s


def _succeed(file: sqlite3.Connection, names: list[str]) -> None:
    file.executemany(_FORGET, [(name,) for name in names])


def _wait_s(count: int, last: float, now: float) -> float:
    if count < _MAX_FREE_FAILURES:
        return 0.0
    return max(last + min(2.0 ** (count - _MAX_FREE_FAILURES), _MAX_WAIT_S) - now, 0.0)


def _shorten(one: str) -> str:
    return hashlib.sha256(one.encode("utf-8", "surrogatepass")).hexdigest()[:_MAX_WHO_CHARS]
