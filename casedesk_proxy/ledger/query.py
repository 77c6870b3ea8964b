"""Queries of the ledger: who used how much of what, and when."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from casedesk_proxy.ledger.hours import rows_within

__all__ = ["DIMENSIONS", "SUMS", "Query", "read_shared_usage", "read_usage"]

#: The dimensions of a query, with the column of each. Days and months are UTC's.
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
#: Dimensions that the sums by day do not have: exchanges of pruned days are left out.
_ROWS_ALONE = frozenset({"hour", "node", "surface", "action", "ending"})
#: The sums of each group. ``failed``: answered by an error, or not to the end. ``estimated``:
#: exchanges whose tokens we estimated.
SUMS = ("requests", "failed", "estimated", "prompt", "cached", "output", "thoughts")

#: {day}, {hour}, {begin} and {rows} differ between the kinds of database.
_ROWS = """
    SELECT key, deployment, model, {day} AS day, {hour} AS hour, node, surface, action, ending,
        1 AS requests, CASE WHEN ending <> 'completed' OR status >= 400 THEN 1 ELSE 0 END
        AS failed, estimated, prompt, cached, output, thoughts
    {rows}
"""
_DAYS = """
    SELECT key, deployment, model, day, '', '', '', '', '',
        exchanges, failed, estimated, prompt, cached, output, thoughts
    FROM days WHERE {begin} >= {since} AND {begin} < {until}
"""
_SQLITE = {
    "day": "strftime('%Y-%m-%d', ended, 'unixepoch')",
    "hour": "strftime('%Y-%m-%dT%H', ended, 'unixepoch')",
    "begin": "CAST(strftime('%s', day) AS INTEGER)",
    "since": ":since", "until": ":until", "key": ":key", "rows": rows_within(":since", ":until"),
}  # fmt: skip
_POSTGRES = {
    "day": "to_char(to_timestamp(ended) AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    "hour": "to_char(to_timestamp(ended) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24')",
    "begin": "extract(epoch FROM CAST(day || 'T00:00Z' AS timestamptz))",
    "since": "$1::double precision", "until": "$2::double precision", "key": "$3::text",
    "rows": "FROM exchanges WHERE ended >= $1::double precision AND ended < $2::double precision",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """``by``: names of DIMENSIONS. ``since`` and ``until`` are seconds since 1970, the second one
    exclusive; a pruned day counts if it begins between them. ``key``: only its exchanges."""

    by: Sequence[str]
    since: float = 0.0
    until: float = 1e12
    key: str | None = None


def read_usage(connection: sqlite3.Connection, query: Query) -> list[dict[str, Any]]:
    """One dict for each group, with its dimensions and SUMS: groups of time in their order, others
    with the greatest use first."""
    values = {"since": query.since, "until": query.until, "key": query.key}
    rows = connection.execute(_compose(query, _SQLITE), values)
    return _name(query, rows)


async def read_shared_usage(connection: Any, query: Query) -> list[dict[str, Any]]:
    """As `read_usage`, for all hosts that share a database; ``connection`` is asyncpg's."""
    values = query.since, query.until, query.key
    return _name(query, await connection.fetch(_compose(query, _POSTGRES), *values))


def _compose(query: Query, words: Mapping[str, str]) -> str:
    source = _ROWS if _ROWS_ALONE & set(query.by) else f"{_ROWS} UNION ALL {_DAYS}"
    groups = ", ".join(f'{DIMENSIONS[name]} AS "by {name}"' for name in query.by)
    sums = ", ".join(f"CAST(coalesce(sum({name}), 0) AS bigint)" for name in SUMS)
    places = ", ".join(str(number + 1) for number in range(len(query.by)))
    times = [str(n + 1) for n, name in enumerate(query.by) if name in ("hour", "day", "month")]
    most = "coalesce(sum(prompt), 0) + coalesce(sum(output), 0) DESC"
    order = ", ".join([*times, most, "count(*) DESC", places])
    where = f"WHERE {words['key']} IS NULL OR key = {words['key']}"
    return (
        f"SELECT {groups}, {sums} FROM ({source.format_map(words)}) AS book {where}"
        f" GROUP BY {places} ORDER BY {order}"
    )


def _name(query: Query, rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    names = (*query.by, *SUMS)
    return [dict(zip(names, row, strict=True)) for row in rows]
