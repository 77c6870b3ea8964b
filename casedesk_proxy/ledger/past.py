"""What limits have to know of the ledger: what was used before, and what others use now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from casedesk_proxy.limits.book import Past, PastSum, Spent
from casedesk_proxy.limits.use import count_tokens
from casedesk_proxy.store.file import open_reader
from casedesk_proxy.terms import Usage

__all__ = ["LedgerReader"]

#: Seconds of which exchanges are read one by one.
_RECENT_S = 120.0
#: Seconds of which they are summed up. Every time zone's midnight is a multiple of it.
_STEP_S = 900

_ROWS = """
    SELECT id, request, key, deployment, surface, prompt, output, thoughts, ended, duration, node
    FROM exchanges
"""
#: Days that were pruned are UTC's: of their surface nothing is known, and noon stands for them.
_SUMS = f"""
    SELECT key, deployment, surface, CAST(ended / {_STEP_S} AS INTEGER) * {_STEP_S} AS step,
        total(prompt), total(output), total(thoughts)
    FROM exchanges WHERE ended >= :since AND id <= :last GROUP BY 1, 2, 3, 4
    UNION ALL
    SELECT key, deployment, '', CAST(strftime('%s', day) AS INTEGER) + 43200, prompt, output, 0
    FROM days WHERE CAST(strftime('%s', day) AS INTEGER) >= :since
"""


class LedgerReader:
    """Reads beside whoever writes; blocks, so it belongs into a thread, one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = 0

    def read_past(self, since: float, now: float) -> Past:
        """``since`` and ``now`` in seconds since 1970. Raises StoreError and sqlite3.Error."""
        with open_reader(self._path) as connection:
            connection.execute("BEGIN")
            (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM exchanges").fetchone()
            bounds = {"since": since, "last": last, "recent": now - _RECENT_S}
            sums = [_sum(row) for row in connection.execute(_SUMS, bounds)]
            recent = connection.execute(f"{_ROWS} WHERE ended >= :recent AND id <= :last", bounds)
            past = Past(sums, [_spent(row) for row in recent])
        self._last = last
        return past

    def read_new(self) -> list[Spent]:
        """What was written since it was read last. Raises StoreError and sqlite3.Error."""
        with open_reader(self._path) as connection:
            rows = connection.execute(f"{_ROWS} WHERE id > ? ORDER BY id", (self._last,)).fetchall()
        if rows:
            self._last = rows[-1][0]
        return [_spent(row) for row in rows]


def _sum(row: tuple[Any, ...]) -> PastSum:
    key, deployment, surface, step, *counts = row
    return PastSum(key, deployment, float(step), _tokens(surface, *counts))


def _spent(row: tuple[Any, ...]) -> Spent:
    _, request, key, deployment, surface, *counts, ended, duration, node = row
    tokens = _tokens(surface, *counts)
    return Spent(request, key, deployment, tokens, ended - duration, ended, asked=bool(node))


def _tokens(surface: str, prompt: float, output: float, thoughts: float) -> int:
    usage = Usage(int(prompt or 0), int(output or 0), None, int(thoughts or 0))
    return count_tokens(surface, usage)
