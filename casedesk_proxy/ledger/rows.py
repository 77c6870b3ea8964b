"""An exchange as a row of the ledger. Nothing of what was asked or answered is in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.store.writer import Insert, StoreWriter
from casedesk_proxy.telemetry.accesslog import Sink

__all__ = ["COLUMNS", "EXCHANGE", "exchange_row", "ledger"]

#: In the order of a row: first what an exchange has as it is, then what is made of it.
_TAKEN = {
    "request": "request_id", "key": "key", "deployment": "deployment", "surface": "surface",
    "action": "action", "asked": "asked", "model": "model", "node": "node", "status": "status",
    "ending": "terminal._value_", "code": "code", "prompt": "usage.prompt",
    "output": "usage.output", "cached": "usage.cached", "thoughts": "usage.thoughts",
    "queued": "queued", "duration": "ended", "first_byte": "first_byte",
}  # fmt: skip
COLUMNS = (*_TAKEN, "ended", "estimated")
_SPANS = ("duration", "first_byte")
#: An exchange's times are a monotonic clock's; spans are made by SQLite. All of it in C: a row is
#: made for each exchange.
_take = attrgetter(
    *(one for name, taken in _TAKEN.items() for one in (taken, "started")[: 1 + (name in _SPANS)])
)
_PLACES = ", ".join("? - ?" if name in _SPANS else "?" for name in _TAKEN)


def exchange_row(item: tuple[float, ExchangeRecord]) -> tuple[Any, ...]:
    """What `EXCHANGE` has places for. ``item`` is when the exchange ended, in seconds since 1970,
    and what it came to."""
    return (*_take(item[1]), item[0], 1 if item[1].usage.estimated else 0)


EXCHANGE = Insert(
    f"INSERT INTO exchanges ({', '.join(COLUMNS)}) VALUES ({_PLACES}, ?, ?)",
    exchange_row,
)


def ledger(writer: StoreWriter, now: Callable[[], float] = time.time) -> Sink:
    """A sink that hands each exchange over to ``writer``. Those of which the access log tells in
    one line together are not in the ledger either: whoever floods the proxy would fill its disk."""
    write = writer.write

    def enter(outcome: ExchangeRecord) -> None:
        if not outcome.summed_up:
            write(EXCHANGE, (now(), outcome))

    return enter
