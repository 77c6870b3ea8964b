"""What limits need from the ledger: earlier use, and what others use now."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

from casedesk_proxy.ledger.hours import rows_within
from casedesk_proxy.ledger.own_rows import OwnRows
from casedesk_proxy.ledger.packed import PackedRows
from casedesk_proxy.ledger.rows import find_newest, list_spent
from casedesk_proxy.limits.past import Past, PastSum, ScopeName, Spent
from casedesk_proxy.limits.use import count_tokens
from casedesk_proxy.limits.windows import Calendar, Moment
from casedesk_proxy.store.file import open_reader
from casedesk_proxy.store.sign import FileSign
from casedesk_proxy.store.waiting import Bell, Commits
from casedesk_proxy.terms import Usage

__all__ = ["LedgerReader"]

#: Seconds of which exchanges are read one by one: a minute, and a margin for clocks.
_RECENT_S = 65.0
#: Seconds before this month's beginning from which on the ledger is read: the longest day.
_MARGIN_S = 26 * 3600.0
#: Seconds over which rows are summed up that ended after today, since a clock was set wrong. The
#: midnight of every time zone is a multiple of it.
_STEP_S = 900
#: Seconds for which a transaction of this process shows what is in the file: a busy process has
#: another one before.
_SHOWN_S = 0.15

#: Other hosts' use has no id in the order of this host's.
_ROWS = """
    SELECT key, deployment, prompt, output, ended, duration, node
    {rows} ORDER BY id
"""
#: Each query with the part that finds its rows of a span of time.
_TABLES = {
    "exchanges": rows_within(":start", ":end"),
    "elsewhere": "FROM elsewhere WHERE ended >= :start AND ended < :end",
}
_SUMS = """
    SELECT key, deployment, {when}, total(prompt), total(output)
    {rows} AND id <= :{table} GROUP BY 1, 2, 3
"""
_STEP = f"CAST(ended / {_STEP_S} AS INTEGER) * {_STEP_S}"
#: Pruned days are UTC's; noon represents them.
_DAY_SUMS = """
    SELECT key, deployment, CAST(strftime('%s', day) AS INTEGER) + 43200, prompt, output
    FROM days WHERE CAST(strftime('%s', day) AS INTEGER) >= :since
"""


class LedgerReader:
    """Reads while others write. It blocks, so call it in a thread, one call at a time; except
    `knows_all`, `hold`, `release` and `list_ended`. ``queue``: the rows that this process adds, by
    ``commits``; ``own`` notes which rows those become. ``now``: seconds of a monotonic clock."""

    def __init__(
        self,
        path: Path,
        queue: PackedRows | None = None,
        commits: Commits | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._queue = PackedRows(Bell()) if queue is None else queue
        self._commits = commits or Commits()
        self._now = now
        self.own = OwnRows(now=now)
        self._commits.ended = self.own.end
        #: The newest id that was read, by table.
        self._last = dict.fromkeys(_TABLES, 0)
        #: How often rows of others had been met when the file was last read.
        self._met = -1
        self._sign = FileSign(path)

    def knows_all(self) -> bool:
        """Whether others have added nothing that was not read, as a transaction of this process has
        just shown. Costs nothing, and may be False too often."""
        met, at = self.own.met
        return met == self._met and self._now() - at <= _SHOWN_S

    def hold(self) -> None:
        """What ends from now on is remembered until `release`."""
        self._queue.hold()

    def release(self) -> None:
        self._queue.release()

    def list_ended(self, place: int) -> tuple[int, list[Spent]]:
        """What this process has added since that place of a `Past`, and the next place; while it is
        held."""
        place, batch = self._queue.list_since(place)
        return place, list_spent(batch)

    def read_past(self, calendar: Calendar, now: Moment, wanted: Container[ScopeName]) -> Past:
        """Of this month, by ``calendar``, with the rows that wait for the file. Raises StoreError
        and sqlite3.Error."""
        past = Past(calendar, now, wanted)
        since = now.today.month.start - _MARGIN_S
        days = [one.day for one in calendar.days(since, now.wall)]
        # SQLite computes the sums without the interpreter's lock, so no other thread waits.
        spans = [(":start", day.start, day.end) for day in days]
        spans.append((_STEP, days[-1].end, math.inf))
        with open_reader(self._path) as connection:
            with self._commits.committing:
                last = _begin(connection)
                past.place, batch = self._queue.list_waiting()
                waiting = list_spent(batch)
                self.own.follow()
            past.add_sums(map(_sum, connection.execute(_DAY_SUMS, {"since": since})))
            recent = {**last, "start": now.wall - _RECENT_S, "end": math.inf}
            for table, rows in _TABLES.items():
                for when, start, end in spans:
                    bounds = {**last, "start": start, "end": end}
                    sums = _SUMS.format(table=table, rows=rows, when=when)
                    past.add_sums(map(_sum, connection.execute(sums, bounds)))
                newest = _ROWS.format(rows=f"{rows} AND id <= :{table}")
                past.add_recent(map(_spent, connection.execute(newest, recent)))
        past.add(waiting)
        self._note_read(last)
        return past

    def read_new(self) -> list[Spent]:
        """What others have added since the last call. Raises StoreError and sqlite3.Error."""
        met, _ = self.own.met
        if not self._sign.may_have_changed() and met == self._met:
            return []
        self._met = -1
        found = self._read_others()
        self._met = met
        return found

    def _read_others(self) -> list[Spent]:
        found: list[Spent] = []
        with open_reader(self._path) as connection:
            with self._commits.committing:
                last = _begin(connection)
                self.own.follow()
                others = self.own.list_others(self._last["exchanges"], last["exchanges"])
            received = self._last["elsewhere"] + 1, last["elsewhere"]
            for table, spans in (("exchanges", others), ("elsewhere", [received])):
                statement = _ROWS.format(rows=f"FROM {table} WHERE id BETWEEN ? AND ?")
                for span in spans:
                    found += map(_spent, connection.execute(statement, span))
        self._note_read(last)
        return found

    def _note_read(self, last: dict[str, int]) -> None:
        self._last = last
        with self._commits.committing:
            self.own.forget(last["exchanges"])


def _begin(connection: sqlite3.Connection) -> dict[str, int]:
    """Begin to read the file as it is now; returns the newest ids."""
    connection.execute("BEGIN")
    return {table: find_newest(connection, table) for table in _TABLES}


def _sum(row: tuple[Any, ...]) -> PastSum:
    key, deployment, step, prompt, output = row
    return PastSum(key, deployment, float(step), _tokens(prompt, output))


def _spent(row: tuple[Any, ...]) -> Spent:
    key, deployment, prompt, output, ended, duration, node = row
    tokens = _tokens(prompt, output)
    return Spent(key, deployment, tokens, ended - duration, ended, asked=bool(node))


def _tokens(prompt: float | None, output: float | None) -> int:
    return count_tokens(Usage(int(prompt or 0), int(output or 0)))
