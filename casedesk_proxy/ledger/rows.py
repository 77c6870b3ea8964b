"""An exchange as a row of the ledger, which contains nothing of the request's or the reply's
content."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from casedesk_proxy.ledger.hours import cover, enter_hours
from casedesk_proxy.ledger.own_rows import OwnRows
from casedesk_proxy.ledger.packed import OWN, SHARED, PackedBatch
from casedesk_proxy.limits.past import Spent
from casedesk_proxy.limits.use import count_tokens
from casedesk_proxy.terms import Usage

__all__ = ["COLUMNS", "LedgerRows", "find_newest", "list_spent", "read_ahead"]

#: An exchange's times are of a monotonic clock; SQLite converts them for a row. Its id may be
#: bytes.
_MADE = {
    "ended": "{ended} + ?", "duration": "{ended} - {started}",
    "first_byte": "{first_byte} - {started}", "request": "CAST({request} AS TEXT)",
}  # fmt: skip
COLUMNS = (*SHARED, *_MADE, *(name for name in OWN if name not in ("started", *_MADE)))
_take_scopes = itemgetter(*map(SHARED.index, ("key", "deployment", "node")))
_take_end = itemgetter(OWN.index("ended"))
_take_spent = itemgetter(*map(OWN.index, ("prompt", "output", "started", "ended")))
#: Rows of one statement: a statement of several rows takes half the time of as many single ones,
#: and releases the interpreter's lock only once (bench/NOTES.md).
_MAX_STATEMENT_ROWS = 128


def read_ahead() -> float:
    """By how many seconds the clock of days is ahead of that of exchanges."""
    return time.time() - time.monotonic()


class LedgerRows:
    """Rows of the ledger. ``own`` remembers which rows these are; ``read_ahead`` returns by how
    many seconds the clock of days is ahead of that of exchanges."""

    def __init__(
        self, own: OwnRows | None = None, read_ahead: Callable[[], float] = read_ahead
    ) -> None:
        self._own = own
        self._read_ahead = read_ahead

    def enter(self, connection: sqlite3.Connection, items: PackedBatch) -> None:
        last, ahead, ends = 0, self._read_ahead(), list[float]()
        for columns, shared, rows in items.group():
            last = _insert(connection, columns, (*shared, ahead), rows)
            ends += map(_take_end, rows)
        if last:
            first = last - len(items) + 1
            cover(connection, first)
            enter_hours(connection, first, last, ahead + min(ends), ahead + max(ends))
            if self._own is not None:
                self._own.note(first, last, find_newest(connection, "elsewhere"))


def _insert(
    connection: sqlite3.Connection,
    columns: Sequence[str],
    shared: tuple[Any, ...],
    rows: Sequence[tuple[Any, ...]],
) -> int:
    """Returns the last row's id. ``shared``: the values that the rows share, and by how much the
    clock is ahead."""
    last, start = 0, 0
    while start < len(rows):
        count = min(_MAX_STATEMENT_ROWS, 1 << (len(rows) - start).bit_length() - 1)
        values = [*shared, *chain.from_iterable(rows[start : start + count])]
        last = connection.execute(_statement(count, tuple(columns)), values).lastrowid or 0
        start += count
    return last


@lru_cache
def _statement(rows: int, columns: tuple[str, ...]) -> str:
    """The statement for so many rows, whose shared values come once, before all others.
    ``columns``: the columns in which the rows differ."""
    own = {name: f"column{number}" for number, name in enumerate(columns, 1)}
    taken = dict.fromkeys(SHARED, "?") | own
    taken |= {name: made.format_map(own) for name, made in _MADE.items()}
    names = [name for name in COLUMNS if name in taken]
    row = f"({', '.join('?' * len(columns))})"
    return (
        f"INSERT INTO exchanges ({', '.join(names)})"
        f" SELECT {', '.join(taken[name] for name in names)}"
        f" FROM (VALUES {', '.join([row] * rows)})"
    )


def find_newest(connection: sqlite3.Connection, table: str) -> int:
    """The last id of a table; 0 if it has no rows."""
    (last,) = connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()
    return int(last)


def list_spent(batch: PackedBatch) -> list[Spent]:
    """What limits count of exchanges whose rows wait."""
    ahead, found = read_ahead(), list[Spent]()
    for _, shared, rows in batch.group():
        key, deployment, node = _take_scopes(shared)
        for prompt, output, started, ended in map(_take_spent, rows):
            tokens = count_tokens(Usage(prompt, output))
            found.append(
                Spent(key, deployment, tokens, ahead + started, ahead + ended, asked=bool(node))
            )
    return found
