"""Which rows of the ledger are this process's own, so that nobody reads them to find that out.

What limits follow in the ledger is what others write. Of one process alone nearly all rows are its
own, some hundred of them in one transaction, with ids one behind the other.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Sequence

__all__ = ["OwnRows"]

#: Batches that are remembered while nobody looks: those of some seconds. Of older ones the rows are
#: read like anybody's.
_MAX_BATCHES = 32
_REQUEST = "SELECT request FROM exchanges WHERE id = ?"


class OwnRows:
    """``note`` is for the thread that writes, ``pass_over`` for the one that reads; nothing is
    remembered before the latter was called."""

    def __init__(self) -> None:
        self._is_followed = False
        #: First and last id, and the requests: in a transaction that may be undone yet.
        self._batches: deque[tuple[int, int, Sequence[str]]] = deque(maxlen=_MAX_BATCHES)

    def note(self, last: int, requests: Sequence[str]) -> None:
        """Rows with ids up to ``last`` were entered for those requests, in this order."""
        if self._is_followed and requests:
            self._batches.append((last - len(requests) + 1, last, requests))

    def pass_over(self, connection: sqlite3.Connection, read: int) -> tuple[int, list[str]]:
        """The id up to which rows need not be read, where those up to ``read`` were, and the
        requests of those in between."""
        self._is_followed = True
        passed: list[str] = []
        while self._batches:
            first, last, requests = self._batches[0]
            if last > read:
                row = connection.execute(_REQUEST, (last,)).fetchone()
                if row is None:
                    break  # Not there yet, or never.
                if first == read + 1 and row[0] == requests[-1]:
                    read = last
                    passed += requests
            self._batches.popleft()
        return read, passed
