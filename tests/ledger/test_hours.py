"""Rows of a span of time are found without an index on it, with any changes of clocks and
processes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.ledger.hours import cover, enter_hours, rows_within
from casedesk_proxy.ledger.query import Query, read_usage
from casedesk_proxy.ledger.retention import prune
from casedesk_proxy.ledger.rows import COLUMNS, LedgerRows
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.store.schema import MIGRATIONS, migrate
from tests.fixtures.effort import examples
from tests.fixtures.table import table
from tests.ledger.book import book, enter, pack

ONE = ExchangeRecord("r", 0.0)
NOON = 1_798_804_800.0
WITHIN = f"SELECT ended {rows_within(':since', ':until')} ORDER BY id"


def found(connection: sqlite3.Connection, since: float, until: float) -> list[float]:
    rows = connection.execute(WITHIN, {"since": since, "until": until})
    return [ended for (ended,) in rows]


def enter_rows(rows: LedgerRows, connection: sqlite3.Connection, *ends: float) -> None:
    rows.enter(connection, pack(*(replace(ONE, ended=end) for end in ends)))


def enter_as_before(connection: sqlite3.Connection, ended: float) -> None:
    """Enter rows like a version without hours."""
    values = [ended if name == "ended" else 0 for name in COLUMNS]
    places = ", ".join("?" * len(COLUMNS))
    connection.execute(f"INSERT INTO exchanges ({', '.join(COLUMNS)}) VALUES ({places})", values)


@table(
    ("since", "until", "wanted"),
    [
        (NOON, NOON + 3600, [0.0, 3599.999]),
        (NOON + 0.001, NOON + 3600.001, [3599.999, 3600.0]),
        (NOON - 3600, NOON, [-0.25]),
        (0.0, float("inf"), [0.0, -0.25, 3599.999, 3600.0, 90_000.0]),
        (NOON + 4000, NOON + 8000, []),
    ],
)
def test_those_of_a_span_are_found(since: float, until: float, wanted: list[float]) -> None:
    with book() as connection:
        rows = LedgerRows(read_ahead=lambda: NOON)
        enter_rows(rows, connection, 0.0)
        enter_rows(rows, connection, -0.25, 3599.999, 3600.0)
        enter_rows(rows, connection, 90_000.0)
        assert found(connection, since, until) == [NOON + end for end in wanted]


def test_where_a_clock_was_wrong_rows_are_found_once() -> None:
    """Among the ids of one hour there are then ids of other hours."""
    with book() as connection:
        rows = LedgerRows(read_ahead=lambda: NOON)
        for end in (0.0, -NOON, 1.0, 7200.0, 2.0):
            enter_rows(rows, connection, end)
        assert found(connection, NOON, NOON + 3600) == [NOON, NOON + 1, NOON + 2]
        assert found(connection, 0.0, 60.0) == [0.0]


def test_rows_that_an_earlier_version_entered_meanwhile_are_found() -> None:
    """The earlier version runs beside the new one until its last stream has ended."""
    with book() as connection:
        rows = LedgerRows(read_ahead=lambda: NOON)
        enter_rows(rows, connection, 0.0)
        for end in (5.0, 4000.0):
            enter_as_before(connection, NOON + end)
        enter_rows(rows, connection, 4001.0)
        enter_rows(rows, connection, 4002.0)
        assert [end - NOON for end in found(connection, 0.0, 1e12)] == [0, 5, 4000, 4001, 4002]


def test_an_earlier_version_s_last_rows_are_pruned_although_no_row_follows() -> None:
    with book() as connection:
        enter_as_before(connection, NOON)
        assert prune(connection, NOON + 1) == 1
        assert connection.execute("SELECT count(*) FROM exchanges").fetchone() == (0,)


def test_rows_with_ids_of_rows_that_were_undone_are_found() -> None:
    """A full disk undoes a transaction; its ids are given again."""
    with book() as connection:
        rows = LedgerRows(read_ahead=lambda: NOON)
        connection.execute("BEGIN")
        enter_rows(rows, connection, 0.0)
        connection.execute("ROLLBACK")
        enter_as_before(connection, NOON + 4000)
        enter_rows(rows, connection, 1.0)
        assert found(connection, 0.0, 1e12) == [NOON + 4000, NOON + 1]


def test_rows_of_another_process_have_their_hours() -> None:
    with book() as connection:
        enter(connection, NOON)
        before = connection.execute("SELECT * FROM hours").fetchall()
        cover(connection, 2)
        assert connection.execute("SELECT * FROM hours").fetchall() == before
        enter_hours(connection, 1, 1, NOON + 10, NOON + 10)
        assert connection.execute("SELECT * FROM hours").fetchall() == before


def _before_hours() -> tuple[tuple[str, ...], ...]:
    first = next(at for at, steps in enumerate(MIGRATIONS) if "CREATE TABLE hours" in steps[0])
    return MIGRATIONS[:first]


def test_rows_of_before_get_their_hours() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, _before_hours())
        for end in (NOON, NOON + 4000, NOON + 1):
            enter_as_before(connection, end)
        migrate(connection)
        assert found(connection, NOON, NOON + 3600) == [NOON, NOON + 1]
        assert found(connection, NOON + 3600, NOON + 7200) == [NOON + 4000]


def test_hours_go_with_the_last_of_their_rows() -> None:
    with book() as connection:
        rows = LedgerRows(read_ahead=lambda: NOON)
        enter_rows(rows, connection, 0.0, 1.0)
        enter_rows(rows, connection, 7200.0)
        hours = "SELECT count(*) FROM hours WHERE hour <= ?"
        assert prune(connection, NOON + 7300, 1) == 1
        assert connection.execute(hours, (NOON / 3600,)).fetchone() == (1,)
        assert prune(connection, NOON + 7300, 9) == 2
        assert connection.execute(hours, (NOON / 3600,)).fetchone() == (0,)


TIMES = st.floats(0, 4 * 3600, width=32)
#: What a process does. Undone rows were entered before the transaction failed.
STEPS = st.one_of(
    st.tuples(st.sampled_from(["enter", "undo"]), st.lists(TIMES, min_size=1, max_size=4)),
    st.tuples(st.sampled_from(["enter as before", "prune"]), TIMES),
    st.tuples(st.just("set the clock"), st.floats(-7200, 7200, width=32)),
)


@examples(60)
@given(st.lists(st.tuples(st.integers(0, 1), STEPS), max_size=8), TIMES, TIMES)
def test_as_with_an_index(steps: list[tuple[int, Any]], since: float, until: float) -> None:
    """Two processes, with whatever order of what they do."""
    with book() as connection:
        ahead = [NOON]
        processes = [LedgerRows(read_ahead=lambda: ahead[0]) for _ in range(2)]
        pruned = 0
        for process, (what, value) in steps:
            connection.execute("BEGIN")
            if what == "set the clock":
                ahead[0] += value
            elif what == "prune":
                older = "SELECT count(*) FROM exchanges WHERE ended < ?"
                (wanted,) = connection.execute(older, (ahead[0] + value,)).fetchone()
                assert prune(connection, ahead[0] + value) == wanted
                pruned += wanted
            elif what == "enter as before":
                enter_as_before(connection, ahead[0] + value)
            else:
                enter_rows(processes[process], connection, *value)
            connection.execute("ROLLBACK" if what == "undo" else "COMMIT")
        enter_rows(processes[0], connection, 0.0)
        indexed = "SELECT ended FROM exchanges WHERE ended >= ? AND ended < ? ORDER BY id"
        bounds = ahead[0] + since, ahead[0] + until
        wanted = [ended for (ended,) in connection.execute(indexed, bounds)]
        assert sorted(found(connection, *bounds)) == sorted(wanted)
        (left,) = connection.execute("SELECT count(*) FROM exchanges").fetchone()
        everything = read_usage(connection, Query(["key"]))
        assert sum(group["requests"] for group in everything) == left + pruned
