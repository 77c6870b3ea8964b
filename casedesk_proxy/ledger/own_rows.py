"""Which rows of the ledger are this process's own, so that they are not read to find that out.

Limits follow what others write to the ledger. In a single process nearly all rows are its own, some
hundred of them in one transaction, with consecutive ids.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Sequence

__all__ = ["OwnRows"]

#: Batches that are remembered until they are used: those of some seconds. Rows of older batches are
#: read like any others.
_MAX_BATCHES = 32
_REQUEST = "SELECT request FROM exchanges WHERE id = ?"


class OwnRows:
    """``note`` is for the thread that writes, ``pass_over`` for the one that reads; nothing is
    remembered before the first call of the latter."""

    def __init__(self) -> None:
        self._is_followed = False
        #: First and last id, and the requests, of a transaction that may still be undone.
        self._batches: deque[tuple[int, int, Sequence[str]]] = deque(maxlen=_MAX_BATCHES)

    def note(self, last: int, requests: Sequence[str]) -> None:
        """Rows with ids up to ``last`` were added for those requests, in this order."""
        if self._is_followed and requests:
            self._batches.append((last - len(requests) + 1, last, requests))

    def pass_over(self, connection: sqlite3.Connection, read: int) -> tuple[int, list[str]]:
        """The id up to which rows need not be read, if those up to ``read`` were, and the requests
        of the rows in between."""
        self._is_followed = True
        passed: list[str] = []
        while self._batches:
            first, last, requests = self._batches[0]
            if last > read:
                row = connection.execute(_REQUEST, (last,)).fetchone()
                if row is None:
                    break  # not committed yet, or undone
                if first == read + 1 and row[0] == requests[-1]:
                    read = last
                    passed += requests
            self._batches.popleft()
        return read, passed
