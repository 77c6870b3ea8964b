"""What waits for the state file, and how its writer learns of it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from queue import Empty, SimpleQueue
from typing import Any, Protocol

__all__ = ["Batch", "Bell", "Commits", "Entry", "Waiting", "WaitingItems", "enter_items"]

_entry_of = itemgetter(0)


class Entry(Protocol):
    """Rows of one kind."""

    def enter(self, connection: sqlite3.Connection, items: Any) -> None:
        """Write what was handed over into the file, within a transaction: in the writer's
        thread."""


class Batch(Protocol):
    """Some of what waits, in the form in which it is entered."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: slice, /) -> Batch: ...


class Waiting(Protocol):
    """Rows that one thread hands over and the writer's takes, in their order. ``overflown`` counts
    those that found no room."""

    overflown: int

    def __len__(self) -> int: ...

    def list_next(self, most: int) -> Batch:
        """So many of the first, or all."""

    def let_go(self, count: int) -> None:
        """The first of them are in the file, or can never be. Called while `Commits.committing` is
        locked."""


class Bell:
    """Wakes the writer's thread. ``is_rung``: it knows that rows are handed over, so that it need
    not be rung for further ones."""

    __slots__ = ("_calls", "is_rung")

    def __init__(self) -> None:
        self.is_rung = False
        self._calls: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """Rows were handed over."""
        self.is_rung = True
        self._calls.put(None)

    def call(self) -> None:
        """There is something to do at once."""
        self._calls.put(None)

    def wait(self, timeout_s: float | None) -> None:
        """Until there is a call, or for so many seconds."""
        with contextlib.suppress(Empty):
            self._calls.get(timeout=timeout_s)


class Commits:
    """Rows leave what waits for the file while ``committing`` is locked: code that has locked it
    sees each row either in the file or among those that wait. ``ended`` is called in the writer's
    thread after each transaction: with True while ``committing`` is still locked, with False if the
    transaction was undone."""

    __slots__ = ("committing", "ended")

    def __init__(self) -> None:
        self.committing = threading.Lock()
        self.ended: Callable[[bool], None] = _ignore


class WaitingItems:
    """Items of any kind, each with its entry."""

    __slots__ = ("_items", "_max_items", "overflown")

    def __init__(self, max_items: int) -> None:
        self.overflown = 0
        self._items: deque[tuple[Entry, Any]] = deque()
        self._max_items = max_items

    def __len__(self) -> int:
        return len(self._items)

    def add(self, entry: Entry, item: Any) -> None:
        if len(self._items) >= self._max_items:
            self.overflown += 1
        else:
            self._items.append((entry, item))

    def list_next(self, most: int) -> list[tuple[Entry, Any]]:
        # By their places: an iterator raises RuntimeError if the other thread adds one meanwhile.
        items = self._items
        return [items[place] for place in range(min(most, len(items)))]

    def let_go(self, count: int) -> None:
        for _ in range(count):
            self._items.popleft()


def enter_items(connection: sqlite3.Connection, batch: Sequence[tuple[Entry, Any]]) -> None:
    for entry, group in groupby(batch, key=_entry_of):
        entry.enter(connection, [item for _, item in group])


def _ignore(is_done: bool) -> None:
    """For code that does not need to know."""
