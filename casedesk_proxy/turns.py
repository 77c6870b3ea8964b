"""Work that takes turns, so that much of it delays no other work.

A client may send thousands of requests ahead, or a body in chunks of a byte; thousands of clients
may leave at one moment, or lose their node. One round of the loop does only a limited amount of
such work, and between two rounds the loop reads and writes for streams.

There are two queues. Added work is done first, in its order. Deferred work, such as closing
connections, is done after it, so that clients that stay do not wait for those that have left; each
round does at least one piece of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

__all__ = ["ROUND_BUDGET_S", "Turns", "in_turns"]

T = TypeVar("T")

#: Seconds of a round for this work. What was closed makes the next round several times as long:
#: with a millisecond there were rounds of 6 ms (9 000 clients that leave).
ROUND_BUDGET_S = 0.0005


class Turns:
    """Work that needs another round adds itself again. ``budget_s``: seconds of a round."""

    __slots__ = ("_added", "_budget_s", "_deferred", "_is_asked", "_loop", "_spent")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, budget_s: float = ROUND_BUDGET_S
    ) -> None:
        self._loop = loop
        self._budget_s = budget_s
        self._added: deque[Callable[[], None]] = deque()
        self._deferred: deque[Callable[[], None]] = deque()
        #: Seconds of this round that are used.
        self._spent = 0.0
        self._is_asked = False

    def add(self, work: Callable[[], None]) -> None:
        """Do ``work`` in one of the next rounds, after what was added before."""
        self._added.append(work)
        self._ask()

    def defer(self, work: Callable[[], None]) -> bool:
        """Do ``work`` now, or in one of the next rounds if this one has used its time or other work
        waits. Returns whether it has been done."""
        self._ask()
        if self._deferred or self._spent >= self._budget_s:
            self._deferred.append(work)
            return False
        began = time.perf_counter()
        try:
            work()
        finally:
            self._spent += time.perf_counter() - began
        return True

    def _ask(self) -> None:
        if not self._is_asked:
            self._is_asked = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        """Do the work of a round that has begun."""
        self._is_asked = False
        began = time.perf_counter()
        try:
            self._work_off(self._added, len(self._added), began + self._budget_s)
            self._work_off(self._deferred, len(self._deferred), began + self._budget_s)
        finally:
            self._spent = 0.0
            if self._added or self._deferred:
                self._spent = time.perf_counter() - began
                self._ask()

    def _work_off(self, waiting: deque[Callable[[], None]], number: int, until: float) -> None:
        """Do at least one piece of work, so that each queue moves, and no more after ``until``."""
        for _ in range(number):
            work = waiting[0]
            try:
                work()
            finally:
                # Removed after it ran: work that adds more meanwhile sees that a round is running.
                waiting.popleft()
            if time.perf_counter() >= until:
                return


async def in_turns(things: Iterable[T], count: int) -> AsyncIterator[T]:
    """``count`` of them in each round of the loop, for a task that processes many."""
    for number, thing in enumerate(things, 1):
        yield thing
        if not number % count:
            await asyncio.sleep(0)
