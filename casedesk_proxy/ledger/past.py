"""What limits need from the ledger: earlier use, and what others use now."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Container
from pathlib import Path
from typing import Any

from casedesk_proxy.ledger.hours import rows_within
from casedesk_proxy.ledger.own_rows import OwnRows
from casedesk_proxy.limits.past import Past, PastSum, ScopeName, Spent
from casedesk_proxy.limits.use import count_tokens
from casedesk_proxy.limits.windows import Calendar, Moment
from casedesk_proxy.store.file import open_reader
from casedesk_proxy.terms import Usage

__all__ = ["LedgerReader"]

#: Seconds of which exchanges are read one by one: a minute, and a margin for clocks.
_RECENT_S = 65.0
#: Seconds before this month's beginning from which on the ledger is read: the longest day.
_MARGIN_S = 26 * 3600.0
#: Seconds over which rows are summed up that ended after today, since a clock was set wrong. The
#: midnight of every time zone is a multiple of it.
_STEP_S = 900

#: Other hosts' use has no id in the order of this host's.
_ROWS = """
    SELECT id, request, key, deployment, prompt, output, ended, duration, node
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
    """Reads while others write. It blocks, so call it in a thread, one call at a time. ``own``
    notes the rows that this process itself adds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.own = OwnRows()
        self._passed: list[str] = []
        #: The newest id that was read, by table.
        self._last = dict.fromkeys(_TABLES, 0)

    def read_past(self, calendar: Calendar, now: Moment, wanted: Container[ScopeName]) -> Past:
        """Of this month, by ``calendar``. Raises StoreError and sqlite3.Error."""
        past = Past(calendar, now, wanted)
        since = now.today.month.start - _MARGIN_S
        days = [one.day for one in calendar.days(since, now.wall)]
        # SQLite computes the sums without the interpreter's lock, so no other thread waits.
        spans = [(":start", day.start, day.end) for day in days]
        spans.append((_STEP, days[-1].end, math.inf))
        with open_reader(self._path) as connection:
            connection.execute("BEGIN")
            last = {table: _find_last(connection, table) for table in _TABLES}
            past.add_sums(map(_sum, connection.execute(_DAY_SUMS, {"since": since})))
            recent = {**last, "start": now.wall - _RECENT_S, "end": math.inf}
            for table, rows in _TABLES.items():
                for when, start, end in spans:
                    bounds = {**last, "start": start, "end": end}
                    sums = _SUMS.format(table=table, rows=rows, when=when)
                    past.add_sums(map(_sum, connection.execute(sums, bounds)))
                newest = _ROWS.format(rows=f"{rows} AND id <= :{table}")
                past.add_recent(map(_spent, connection.execute(newest, recent)))
        self._last = last
        return past

    def read_new(self) -> list[Spent]:
        """Rows written since the last call, without those that `take_passed` reports. Raises
        StoreError and sqlite3.Error."""
        found: list[Spent] = []
        with open_reader(self._path) as connection:
            read, passed = self.own.pass_over(connection, self._last["exchanges"])
            self._last["exchanges"] = read
            self._passed += passed
            for table, last in self._last.items():
                statement = _ROWS.format(rows=f"FROM {table} WHERE id > ?")
                if rows := connection.execute(statement, (last,)).fetchall():
                    self._last[table] = rows[-1][0]
                found += map(_spent, rows)
        return found

    def take_passed(self) -> list[str]:
        """The requests of this process's own rows that were not read."""
        passed, self._passed = self._passed, []
        return passed


def _find_last(connection: sqlite3.Connection, table: str) -> int:
    (last,) = connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()
    return int(last)


def _sum(row: tuple[Any, ...]) -> PastSum:
    key, deployment, step, prompt, output = row
    return PastSum(key, deployment, float(step), _tokens(prompt, output))


def _spent(row: tuple[Any, ...]) -> Spent:
    _, request, key, deployment, prompt, output, ended, duration, node = row
    tokens = _tokens(prompt, output)
    return Spent(request, key, deployment, tokens, ended - duration, ended, asked=bool(node))


def _tokens(prompt: float | None, output: float | None) -> int:
    return count_tokens(Usage(int(prompt or 0), int(output or 0)))
