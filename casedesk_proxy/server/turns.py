"""Work that waits for its turn, so that one client's row of it holds up no other.

A client may send thousands of requests ahead, or a body in chunks of a byte. One piece of each
connection's row is done a round of the loop, and no more of all rows together than a round should
bear; between two rounds the loop reads and writes what streams have.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Turns"]

#: Seconds of a round that are for what waits here.
_ROUND_BUDGET_S = 0.002


class Turns:
    """Whoever wants another turn asks for it in his turn."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()

    def add(self, work: Callable[[], None]) -> None:
        """Do it in one of the next rounds, after what was asked for before."""
        if not self._waiting:
            self._loop.call_soon(self._run)
        self._waiting.append(work)

    def _run(self) -> None:
        waiting = self._waiting
        until = time.perf_counter() + _ROUND_BUDGET_S
        try:
            for _ in range(len(waiting)):
                work = waiting[0]
                try:
                    work()
                finally:
                    # Last, so that whoever asks meanwhile finds us at it.
                    waiting.popleft()
                if time.perf_counter() >= until:
                    break
        finally:
            if waiting:
                self._loop.call_soon(self._run)
