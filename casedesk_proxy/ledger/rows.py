"""An exchange as a row of the ledger. Nothing of what was asked or answered is in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.store.writer import Insert, StoreWriter
from casedesk_proxy.telemetry.accesslog import Sink

__all__ = ["COLUMNS", "EXCHANGE", "exchange_row", "ledger"]

#: In the order of a row.
COLUMNS = (
    *("request", "ended", "key", "deployment", "surface", "action", "asked", "model", "node"),
    *("status", "ending", "code", "prompt", "output", "cached", "thoughts", "estimated"),
    *("first_byte", "duration", "queued"),
)


def exchange_row(item: tuple[float, ExchangeRecord]) -> tuple[Any, ...]:
    """``item`` is when the exchange ended, in seconds since 1970, and what it came to. Spans are
    seconds, counts of tokens None where they are not known."""
    ended, one = item
    usage, first_byte = one.usage, one.first_byte
    return (
        one.request_id, round(ended, 3), one.key, one.deployment, one.surface, one.action,
        one.asked, one.model, one.node, one.status, one.terminal.value, one.code,
        usage.prompt, usage.output, usage.cached, usage.thoughts, int(usage.estimated),
        None if first_byte is None else round(first_byte - one.started, 6),
        round(one.ended - one.started, 6), round(one.queued, 6),
    )  # fmt: skip


EXCHANGE = Insert(
    f"INSERT INTO exchanges ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})",
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
