"""Rows that wait for the state file, and which of them it has.

Code that reads the file can learn exactly which of this process's rows it will not find there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

__all__ = ["WaitingRows"]


class WaitingRows:
    """``items`` are handed over at their end, by one thread, and leave at their beginning, in the
    writer's thread, while ``committing`` is locked: code that has locked it sees each row either in
    the file or among those that wait. ``ended`` is called in that thread after each transaction:
    with True while ``committing`` is still locked, with False if the transaction was undone."""

    __slots__ = ("_done", "_is_held", "committing", "ended", "items")

    def __init__(self) -> None:
        self.items: deque[Any] = deque()
        self.committing = threading.Lock()
        self.ended: Callable[[bool], None] = _ignore
        #: So many of the first are in the file, and only stay because they are held.
        self._done = 0
        self._is_held = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self.items) - self._done

    def hold(self) -> None:
        """From now on rows stay after they have been written, until `release`. Call both in the
        thread that hands rows over."""
        self._is_held = True

    def release(self) -> None:
        self._is_held = False

    def list_waiting(self) -> tuple[int, list[Any]]:
        """A place for `list_since`, which is valid while rows are held; and the rows that are not
        in the file. Call it with ``committing`` locked."""
        items = list(self.items)
        return len(items), items[self._done :]

    def list_since(self, place: int) -> tuple[int, list[Any]]:
        """The next place, and what was handed over since that one, whether it was written or not.
        Call it in the thread that hands rows over."""
        items = list(islice(self.items, place, None))
        return place + len(items), items

    def list_next(self, most: int) -> list[Any]:
        return list(islice(self.items, self._done, self._done + most))

    def let_go(self, count: int) -> None:
        """The first of those that wait are in the file, or can never be."""
        if self._is_held:
            self._done += count
            return
        pop = self.items.popleft
        while self._done:
            # In this order: another thread that counts those that wait never gets less than none.
            self._done -= 1
            pop()
        for _ in range(count):
            pop()


def _ignore(is_done: bool) -> None:
    """For code that does not need to know."""
