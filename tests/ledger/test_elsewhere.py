"""A received row is entered once, and is kept while a limit may count it."""

from __future__ import annotations

import sqlite3
from typing import Any

from casedesk_proxy.ledger.elsewhere import enter_elsewhere, read_received
from tests.ledger.book import book

NOW = 1_798_804_800.0
DAY_S = 86400.0


def row(request: str, ended: float) -> tuple[Any, ...]:
    return (request, "alice", "desk", 3, 4, ended, 1.0, "n")


def requests(connection: sqlite3.Connection) -> list[str]:
    return [one for (one,) in connection.execute("SELECT request FROM elsewhere ORDER BY id")]


def test_rows_come_in_their_order_and_once() -> None:
    with book() as connection:
        assert read_received(connection) == 0
        enter_elsewhere(connection, 0, 7, [row("a", NOW), row("b", NOW)], NOW)
        assert read_received(connection) == 7
        # Another process was faster.
        enter_elsewhere(connection, 0, 7, [row("a", NOW), row("b", NOW)], NOW)
        # Rows of this host alone, which move the place.
        enter_elsewhere(connection, 7, 20, [], NOW)
        enter_elsewhere(connection, 20, 21, [row("c", NOW)], NOW)
        assert (requests(connection), read_received(connection)) == (["a", "b", "c"], 21)


def test_what_no_limit_counts_any_more_is_forgotten() -> None:
    with book() as connection:
        enter_elsewhere(connection, 0, 2, [row("a", NOW), row("b", NOW + 2 * DAY_S)], NOW)
        enter_elsewhere(connection, 2, 3, [row("c", NOW + 34 * DAY_S)], NOW + 34 * DAY_S)
        assert requests(connection) == ["b", "c"]
