"""An exchange as a row of the ledger. Nothing of what was asked or answered is in it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

from casedesk_proxy.ledger.own_rows import OwnRows
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.telemetry.accesslog import Sink

__all__ = ["COLUMNS", "LedgerRows", "ledger"]

#: What exchanges one behind the other mostly have in common, and what each has for itself; by
#: column, what of an exchange that is.
_SHARED = {
    "key": "key", "deployment": "deployment", "surface": "surface", "action": "action",
    "asked": "asked", "model": "model", "node": "node", "status": "status",
    "ending": "terminal._value_", "code": "code", "estimated": "usage.estimated",
}  # fmt: skip
_OWN = {
    "request": "request_id", "prompt": "usage.prompt", "output": "usage.output",
    "cached": "usage.cached", "thoughts": "usage.thoughts", "queued": "queued",
    "started": "started", "duration": "ended", "first_byte": "first_byte",
}  # fmt: skip
#: An exchange's times are a monotonic clock's; spans are made by SQLite.
_SPANS = ("duration", "first_byte")
COLUMNS = (*_SHARED, *(name for name in _OWN if name != "started"), "ended")
#: All of it in C: a row is made for each exchange.
_take_shared = attrgetter(*_SHARED.values())
_take_own = attrgetter(*_OWN.values())
#: Rows of one statement: one of several takes half the time that as many of one row take, most of
#: which SQLite and Python have to themselves (bench/NOTES.md).
_MAX_STATEMENT_ROWS = 32


class LedgerRows:
    """Rows of the ledger. An item is when an exchange ended, in seconds since 1970, and what it
    came to. ``own``: what remembers which they are."""

    def __init__(self, own: OwnRows | None = None) -> None:
        self._own = own

    def enter(
        self, connection: sqlite3.Connection, items: Sequence[tuple[float, ExchangeRecord]]
    ) -> None:
        """Those that have much in common stand together."""
        alike: dict[tuple[Any, ...], list[Any]] = {}
        last: int | None = None
        for ended, outcome in items:
            alike.setdefault(_take_shared(outcome), []).append((*_take_own(outcome), ended))
        for shared, rows in alike.items():
            start = 0
            while start < len(rows):
                count = min(_MAX_STATEMENT_ROWS, 1 << (len(rows) - start).bit_length() - 1)
                values = chain(shared, *rows[start : start + count])
                last = connection.execute(_statement(count), list(values)).lastrowid
                start += count
        if self._own is not None and last is not None:
            self._own.note(last, [row[0] for rows in alike.values() for row in rows])


@lru_cache
def _statement(rows: int) -> str:
    """What enters so many rows, whose shared values stand once, before all others."""
    names = (*_OWN, "ended")
    shared, own = _list_names("the_", _SHARED), _list_names("its_", names)
    taken = {name: f"the_{name}" for name in _SHARED} | {name: f"its_{name}" for name in names}
    taken |= {name: f"{taken[name]} - {taken['started']}" for name in _SPANS}
    return (
        f"WITH shared({shared}) AS (VALUES {_list_places(len(_SHARED))}),"
        f" own({own}) AS (VALUES {', '.join([_list_places(len(names))] * rows)})"
        f" INSERT INTO exchanges ({', '.join(COLUMNS)})"
        f" SELECT {', '.join(taken[name] for name in COLUMNS)} FROM own CROSS JOIN shared"
    )


def _list_names(prefix: str, names: Iterable[str]) -> str:
    return ", ".join(prefix + name for name in names)


def _list_places(count: int) -> str:
    return f"({', '.join('?' * count)})"


def ledger(
    writer: StoreWriter, now: Callable[[], float] = time.time, own: OwnRows | None = None
) -> Sink:
    """A sink that hands each exchange over to ``writer``. Exchanges that the access log sums up in
    one line are left out: a client that floods the proxy would fill its disk with them."""
    write, entry = writer.write, LedgerRows(own)

    def enter(outcome: ExchangeRecord) -> None:
        if not outcome.summed_up:
            write(entry, (now(), outcome))

    return enter
