"""What limits have to know of the ledger: what was used before, and what others use now."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from casedesk_proxy.ledger.own_rows import OwnRows
from casedesk_proxy.limits.book import Past, PastSum, Spent
from casedesk_proxy.limits.use import count_tokens
from casedesk_proxy.store.file import open_reader
from casedesk_proxy.terms import Usage

__all__ = ["LedgerReader"]

#: Seconds of which exchanges are read one by one.
_RECENT_S = 120.0
#: Seconds of which they are summed up. Every time zone's midnight is a multiple of it.
_STEP_S = 900

#: What other hosts used has no id in the order of this host's.
_ROWS = """
    SELECT id, request, key, deployment, prompt, output, ended, duration, node
    FROM {table} WHERE {which} ORDER BY id
"""
_TABLES = ("exchanges", "elsewhere")
_STEP_SUMS = f"""
    SELECT key, deployment, CAST(ended / {_STEP_S} AS INTEGER) * {_STEP_S} AS step,
        total(prompt), total(output)
    FROM {{table}} WHERE ended >= :since AND id <= :{{table}} GROUP BY 1, 2, 3
"""
#: Days that were pruned are UTC's; noon stands for them.
_DAY_SUMS = """
    SELECT key, deployment, CAST(strftime('%s', day) AS INTEGER) + 43200, prompt, output
    FROM days WHERE CAST(strftime('%s', day) AS INTEGER) >= :since
"""


class LedgerReader:
    """Reads beside whoever writes; blocks, so it belongs into a thread, one at a time. In ``own``
    is noted what this process itself enters."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.own = OwnRows()
        self._passed: list[str] = []
        #: The newest id that was read, by table.
        self._last = dict.fromkeys(_TABLES, 0)

    def read_past(self, since: float, now: float) -> Past:
        """``since`` and ``now`` in seconds since 1970. Raises StoreError and sqlite3.Error."""
        sums: list[PastSum] = []
        recent: list[Spent] = []
        with open_reader(self._path) as connection:
            connection.execute("BEGIN")
            last = {table: _find_last(connection, table) for table in _TABLES}
            bounds = {**last, "since": since, "recent": now - _RECENT_S}
            sums += map(_sum, connection.execute(_DAY_SUMS, bounds))
            for table in _TABLES:
                sums += map(_sum, connection.execute(_STEP_SUMS.format(table=table), bounds))
                rows = _ROWS.format(table=table, which=f"ended >= :recent AND id <= :{table}")
                recent += map(_spent, connection.execute(rows, bounds))
        self._last = last
        return Past(sums, recent)

    def read_new(self) -> list[Spent]:
        """What was written since it was read last, but for rows of which `take_passed` tells.
        Raises StoreError and sqlite3.Error."""
        found: list[Spent] = []
        with open_reader(self._path) as connection:
            read, passed = self.own.pass_over(connection, self._last["exchanges"])
            self._last["exchanges"] = read
            self._passed += passed
            for table, last in self._last.items():
                statement = _ROWS.format(table=table, which="id > ?")
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
