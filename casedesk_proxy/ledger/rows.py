"""An exchange as a row of the ledger, which contains nothing of the request's or the reply's
content."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any

from casedesk_proxy.ledger.hours import cover, enter_hours
from casedesk_proxy.ledger.own_rows import OwnRows
from casedesk_proxy.limits.past import Spent
from casedesk_proxy.limits.use import count_tokens
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.telemetry.accesslog import Sink
from casedesk_proxy.terms import Usage

__all__ = ["COLUMNS", "LedgerRows", "as_item", "as_spent", "ledger", "read_ahead"]

#: The columns that consecutive exchanges usually share, and those that differ, each with the
#: attribute of an exchange.
_SHARED = {
    "key": "key", "deployment": "deployment", "surface": "surface", "action": "action",
    "asked": "asked", "model": "model", "node": "node", "status": "status",
    "ending": "terminal._value_", "code": "code", "estimated": "usage.estimated",
}  # fmt: skip
_OWN = {
    "request": "request_id", "prompt": "usage.prompt", "output": "usage.output",
    "queued": "queued", "started": "started", "ended": "ended", "first_byte": "first_byte",
    "cached": "usage.cached", "thoughts": "usage.thoughts",
}  # fmt: skip
#: The columns of an exchange that has neither of the last two: most exchanges. Each None that is
#: passed to Python's sqlite3 takes 0.15 µs, a tenth of the row's time, since it searches for an
#: adapter.
_USUAL = tuple(_OWN)[:-2]
#: An exchange's times are of a monotonic clock; SQLite converts them for a row.
_MADE = {
    "ended": "{ended} + ?", "duration": "{ended} - {started}",
    "first_byte": "{first_byte} - {started}",
}  # fmt: skip
COLUMNS = (*_SHARED, *_MADE, *(name for name in _OWN if name not in ("started", *_MADE)))
#: The values of an exchange's row, those it shares with others first. These wait for the file, not
#: the record, which is ten times as large. Made in C, since each exchange needs it.
as_item = attrgetter(*_SHARED.values(), *_OWN.values())
_SHARED_COUNT = len(_SHARED)
_PLACES = {name: number for number, name in enumerate((*_SHARED, *_OWN))}
_take_end = itemgetter(_PLACES["ended"])
_take_spent = itemgetter(
    *(
        _PLACES[name]
        for name in ("key", "deployment", "node", "prompt", "output", "started", "ended")
    )
)
#: Rows of one statement: a statement of several rows takes half the time of as many single ones,
#: and releases the interpreter's lock only once (bench/NOTES.md).
_MAX_STATEMENT_ROWS = 128


def read_ahead() -> float:
    """By how many seconds the clock of days is ahead of that of exchanges."""
    return time.time() - time.monotonic()


#: Rows by the values that they share.
_Alike = dict[tuple[Any, ...], list[tuple[Any, ...]]]


class LedgerRows:
    """Rows of the ledger; an item is the result of `as_item` for an exchange. ``own`` remembers
    which rows these are; ``read_ahead`` returns by how many seconds the clock of days is ahead of
    that of exchanges."""

    def __init__(
        self, own: OwnRows | None = None, read_ahead: Callable[[], float] = read_ahead
    ) -> None:
        self._own = own
        self._read_ahead = read_ahead

    def enter(self, connection: sqlite3.Connection, items: Sequence[tuple[Any, ...]]) -> None:
        """Rows that share many values are put together."""
        usual, others = _Alike(), _Alike()
        for item in items:
            if item[-1] is None and item[-2] is None:
                usual.setdefault(item[:_SHARED_COUNT], []).append(item[_SHARED_COUNT:-2])
            else:
                others.setdefault(item[:_SHARED_COUNT], []).append(item[_SHARED_COUNT:])
        last, ahead = 0, self._read_ahead()
        for columns, alike in ((_USUAL, usual), (tuple(_OWN), others)):
            for shared, rows in alike.items():
                last = _insert(connection, columns, (*shared, ahead), rows)
        if last:
            ends = list(map(_take_end, items))
            first = last - len(items) + 1
            cover(connection, first)
            enter_hours(connection, first, last, ahead + min(ends), ahead + max(ends))
            if self._own is not None:
                self._own.note(first, last)


def _insert(
    connection: sqlite3.Connection,
    columns: tuple[str, ...],
    shared: tuple[Any, ...],
    rows: Sequence[tuple[Any, ...]],
) -> int:
    """Returns the last row's id. ``shared``: the values that the rows share, and by how much the
    clock is ahead."""
    last, start = 0, 0
    while start < len(rows):
        count = min(_MAX_STATEMENT_ROWS, 1 << (len(rows) - start).bit_length() - 1)
        values = [*shared, *chain.from_iterable(rows[start : start + count])]
        last = connection.execute(_statement(count, columns), values).lastrowid or 0
        start += count
    return last


@lru_cache
def _statement(rows: int, columns: tuple[str, ...]) -> str:
    """The statement for so many rows, whose shared values come once, before all others.
    ``columns``: the columns in which the rows differ."""
    own = {name: f"column{number}" for number, name in enumerate(columns, 1)}
    taken = dict.fromkeys(_SHARED, "?") | own
    taken |= {name: made.format_map(own) for name, made in _MADE.items()}
    names = [name for name in COLUMNS if name in taken]
    row = f"({', '.join('?' * len(columns))})"
    return (
        f"INSERT INTO exchanges ({', '.join(names)})"
        f" SELECT {', '.join(taken[name] for name in names)}"
        f" FROM (VALUES {', '.join([row] * rows)})"
    )


def as_spent(item: tuple[Any, ...], ahead: float) -> Spent:
    """What limits count of an exchange whose row waits; ``ahead``: by how many seconds the clock of
    days is ahead of that of exchanges."""
    key, deployment, node, prompt, output, started, ended = _take_spent(item)
    tokens = count_tokens(Usage(prompt, output))
    return Spent(key, deployment, tokens, ahead + started, ahead + ended, asked=bool(node))


def ledger(writer: StoreWriter, entry: LedgerRows) -> Sink:
    """A sink that hands each exchange over to ``writer``. Exchanges that the access log sums up in
    one line are left out: a client that floods the proxy would fill its disk with them."""
    write = writer.write

    def enter(record: ExchangeRecord) -> None:
        if not record.summed_up:
            write(entry, as_item(record))

    return enter
