"""Which rows of the ledger are this process's own, so that they are neither read nor counted again.

Limits count what this process does when it ends, and follow what others write to the ledger. The
rows of a transaction have consecutive ids, and other processes wait until it ends: so a process
that writes sees by its own ids whether others wrote since its last transaction, and need not read.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

__all__ = ["OwnRows"]

#: Spans of ids that are remembered until the ledger is read again: those of three hours in which it
#: cannot be read, with ten transactions a second. Rows of older ones would count twice.
_MAX_SPANS = 100_000


class OwnRows:
    """``note`` is for the thread that writes, in a transaction, and ``end`` for its end. The
    thread that reads locks the latter out (`Commits.committing`); nothing is remembered before
    its first call of ``follow``.

    ``met`` is for every thread: how often rows of others lay before those of a transaction, and
    when the last transaction was, by the clock ``now``, in seconds.
    """

    def __init__(
        self, max_spans: int = _MAX_SPANS, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._is_followed = False
        #: First and last ids, in ascending order.
        self._noted: list[tuple[int, int]] = []
        self._spans: deque[tuple[int, int]] = deque(maxlen=max_spans)
        self.met = 0, -math.inf
        #: The last row of this process, and of those from elsewhere; and the latter and the time in
        #: the transaction.
        self._newest = self._elsewhere = 0
        self._seen = 0, -math.inf

    def note(self, first: int, last: int, elsewhere: int = 0) -> None:
        """Rows with these ids were added, and the ones in between. ``elsewhere``: the last id among
        the rows that are copied from other hosts."""
        self._noted.append((first, last))
        self._seen = elsewhere, self._now()

    def end(self, is_done: bool) -> None:
        """The transaction is in the file; or it was undone."""
        if is_done and self._noted:
            self._count_others()
        if is_done and self._is_followed:
            for first, last in self._noted:
                before = self._spans[-1][1] if self._spans else 0
                if first <= before:
                    # Of another file, which replaced the former one.
                    self._spans.clear()
                elif first == before + 1 and self._spans:
                    first, _ = self._spans.pop()
                self._spans.append((first, last))
        self._noted.clear()

    def _count_others(self) -> None:
        (others, _), (elsewhere, at) = self.met, self._seen
        others += elsewhere != self._elsewhere
        for first, last in self._noted:
            others += first != self._newest + 1
            self._newest = last
        self._elsewhere = elsewhere
        self.met = others, at

    def follow(self) -> None:
        self._is_followed = True

    def list_others(self, read: int, newest: int) -> list[tuple[int, int]]:
        """The spans of rows of other processes after those that were ``read``, up to the
        ``newest``."""
        others, start = list[tuple[int, int]](), read + 1
        for first, last in self._spans:
            if start < first <= newest:
                others.append((start, first - 1))
            start = max(start, last + 1)
        if start <= newest:
            others.append((start, newest))
        return others

    def forget(self, newest: int) -> None:
        """Rows up to that one were read."""
        while self._spans and self._spans[0][1] <= newest:
            self._spans.popleft()
