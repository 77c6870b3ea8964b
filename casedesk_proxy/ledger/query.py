"""Questions to the ledger: how much was used, by whom, of what, when."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["DIMENSIONS", "SUMS", "Query", "read_usage"]

#: What can be asked by, with how a row says it. Days and months are UTC's.
DIMENSIONS = {
    "key": "key",
    "deployment": "deployment",
    "model": "model",
    "day": "day",
    "month": "substr(day, 1, 7)",
    "hour": "hour",
    "node": "node",
    "surface": "surface",
    "action": "action",
    "ending": "ending",
}
#: Those of which the sums of days know nothing: exchanges of days that were pruned are left out.
_ROWS_ALONE = frozenset({"hour", "node", "surface", "action", "ending"})
#: What is told of each group. ``estimated``: exchanges whose tokens were counted by us.
SUMS = ("requests", "failed", "estimated", "prompt", "cached", "output", "thoughts")

_ROWS = """
    SELECT key, deployment, model, strftime('%Y-%m-%d', ended, 'unixepoch') AS day,
        strftime('%Y-%m-%dT%H', ended, 'unixepoch') AS hour, node, surface, action, ending,
        1 AS requests, ending <> 'completed' AS failed, estimated, prompt, cached, output, thoughts
    FROM exchanges WHERE ended >= :since AND ended < :until
"""
_DAYS = """
    SELECT key, deployment, model, day, '', '', '', '', '',
        exchanges, failed, estimated, prompt, cached, output, thoughts
    FROM days WHERE CAST(strftime('%s', day) AS INTEGER) >= :since
        AND CAST(strftime('%s', day) AS INTEGER) < :until
"""


@dataclass(frozen=True, slots=True)
class Query:
    """``by``: names of DIMENSIONS. ``since`` and ``until`` are seconds since 1970, the second one
    outside; of days that were pruned, those count that begin between them. ``key``: its exchanges
    alone."""

    by: Sequence[str]
    since: float = 0.0
    until: float = 1e12
    key: str | None = None


def read_usage(connection: sqlite3.Connection, query: Query) -> list[dict[str, Any]]:
    """One dict for each group, with its dimensions and SUMS: groups of time in their order, others
    with the greatest use first."""
    source = _ROWS if _ROWS_ALONE & set(query.by) else f"{_ROWS} UNION ALL {_DAYS}"
    groups = ", ".join(f'{DIMENSIONS[name]} AS "by {name}"' for name in query.by)
    sums = ", ".join(f"CAST(total({name}) AS INTEGER)" for name in SUMS)
    places = ", ".join(str(number + 1) for number in range(len(query.by)))
    times = [str(n + 1) for n, name in enumerate(query.by) if name in ("hour", "day", "month")]
    order = ", ".join([*times, "total(prompt) + total(output) DESC", "count(*) DESC", places])
    where = "" if query.key is None else "WHERE key = :key"
    statement = (
        f"SELECT {groups}, {sums} FROM ({source}) {where} GROUP BY {places} ORDER BY {order}"
    )
    bounds = {"since": query.since, "until": query.until, "key": query.key}
    names = (*query.by, *SUMS)
    return [dict(zip(names, row, strict=True)) for row in connection.execute(statement, bounds)]
