"""What happens to rows that are older than ``ledger.keep``: they become sums of their day, which
are kept forever.

Sums are written in the transaction that deletes their rows, so that rows and sums together are the
complete ledger at any moment, however often this is interrupted.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable

from casedesk_proxy.ledger.hours import HOUR_S, cover, rows_within
from casedesk_proxy.ledger.postgres import RowForwarder, read_forwarded
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.store.writer import StoreWriter

__all__ = ["keep_pruned", "prune"]

log = logging.getLogger(__name__)

#: Rows of one step: milliseconds, for which no one else can write.
_MAX_STEP_ROWS = 1000
_MAX_IDS = 2**62
#: Seconds between two rounds, and between two steps of one.
_LOOK_S = 3600.0
_STEP_PAUSE_S = 0.2

_OLD = f"""(SELECT id {rows_within("0", ":before")} AND id <= :last
    ORDER BY hour, id LIMIT :most)"""
_SUM = f"""
    INSERT INTO days
    SELECT strftime('%Y-%m-%d', ended, 'unixepoch'), key, deployment, model, count(*),
        sum(ending <> 'completed' OR status >= 400), sum(estimated), total(prompt), total(output),
        total(cached), total(thoughts), total(duration)
    FROM exchanges WHERE id IN {_OLD} GROUP BY 1, 2, 3, 4
    ON CONFLICT DO UPDATE SET
        exchanges = exchanges + excluded.exchanges, failed = failed + excluded.failed,
        estimated = estimated + excluded.estimated, prompt = prompt + excluded.prompt,
        output = output + excluded.output, cached = cached + excluded.cached,
        thoughts = thoughts + excluded.thoughts, duration = duration + excluded.duration
"""
#: Removes hours that have no rows left.
_FORGET_HOURS = f"""
    DELETE FROM hours WHERE hour < CAST(:before / {HOUR_S} AS INTEGER) AND NOT EXISTS (
        SELECT id FROM exchanges
        WHERE id BETWEEN first AND last AND CAST(ended / {HOUR_S} AS INTEGER) = hour
    )
"""


def prune(
    connection: sqlite3.Connection,
    before: float,
    most: int = _MAX_STEP_ROWS,
    last: int = _MAX_IDS,
) -> int:
    """One step, in the caller's transaction: how many rows that ended before then, in seconds since
    1970, and whose id is at most ``last``, were summed up and deleted."""
    cover(connection, _MAX_IDS)
    bounds = {"before": before, "most": most, "last": last}
    connection.execute(_SUM, bounds)
    pruned = connection.execute(f"DELETE FROM exchanges WHERE id IN {_OLD}", bounds).rowcount
    connection.execute(_FORGET_HOURS, bounds)
    return pruned


async def keep_pruned(
    store: StoreWriter,
    keep: Callable[[], float],
    now: Callable[[], float] = time.time,
    *,
    forwarder: RowForwarder | None = None,
    look_s: float = _LOOK_S,
    step_pause_s: float = _STEP_PAUSE_S,
) -> None:
    """Runs until cancelled. ``keep``: for how many seconds a row stays; 0: forever. With a
    ``forwarder`` rows stay until they have reached the database, and old rows of the database
    become sums, too."""
    while True:
        pause = look_s
        if kept := keep():
            before = now() - kept
            if forwarder is not None:
                forwarder.prune(before)

            def step(connection: sqlite3.Connection, before: float = before) -> int:
                last = read_forwarded(connection) if forwarder is not None else _MAX_IDS
                return prune(connection, before, last=last)

            try:
                if await asyncio.wrap_future(store.perform(step)):
                    pause = step_pause_s
            except StoreError:
                log.debug(
                    "the ledger could not be pruned: its file cannot be written; trying again later"
                )
        await asyncio.sleep(pause)
