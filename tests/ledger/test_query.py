"""Sums over rows and over the days that were pruned."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from casedesk_proxy.ledger.query import DIMENSIONS, Query, read_usage
from casedesk_proxy.ledger.retention import prune
from tests.ledger.book import at, book, enter


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with book() as connection:
        enter(connection, at("2026-01-01 23:59"), key="alice", model="m", prompt=10, output=1)
        enter(connection, at("2026-01-02 00:00"), key="bob", model="m", prompt=5, output=70)
        enter(
            connection, at("2026-02-03 12:00"), key="bob", model="n", prompt=None, output=None,
            ending="busy",
        )  # fmt: skip
        enter(
            connection, at("2026-02-03 13:00"), key="", model="n", prompt=1, output=2, estimated=1
        )
        yield connection


def shown(connection: sqlite3.Connection, *by: str, **rest: object) -> list[tuple[object, ...]]:
    """The names, requests, failures, prompt and output of each group."""
    names = (*by, "requests", "failed", "prompt", "output")
    groups = read_usage(connection, Query(by, **rest))  # type: ignore[arg-type]
    return [tuple(group[name] for name in names) for group in groups]


def test_who_used_most_comes_first(connection: sqlite3.Connection) -> None:
    assert shown(connection, "key") == [
        ("bob", 2, 1, 5, 70), ("alice", 1, 0, 10, 1), ("", 1, 0, 1, 2),
    ]  # fmt: skip


def test_an_error_that_came_whole_is_a_failure(connection: sqlite3.Connection) -> None:
    enter(connection, at("2026-02-04 12:00"), key="carla", model="m", prompt=3, status=500)
    wanted = [("2026-02-04", 1, 1, 3, 0)]
    assert shown(connection, "day", key="carla") == wanted
    prune(connection, at("2026-02-05 00:00"))
    assert shown(connection, "day", key="carla") == wanted


def test_times_come_in_their_order_and_are_utc(connection: sqlite3.Connection) -> None:
    assert [group[0] for group in shown(connection, "day")] == [
        "2026-01-01", "2026-01-02", "2026-02-03",
    ]  # fmt: skip
    assert shown(connection, "month", "key") == [
        ("2026-01", "bob", 1, 0, 5, 70), ("2026-01", "alice", 1, 0, 10, 1),
        ("2026-02", "", 1, 0, 1, 2), ("2026-02", "bob", 1, 1, 0, 0),
    ]  # fmt: skip
    assert [group[0] for group in shown(connection, "hour")][-1] == "2026-02-03T13"


def test_a_span_has_its_beginning_and_not_its_end(connection: sqlite3.Connection) -> None:
    span = {"since": at("2026-01-02 00:00"), "until": at("2026-02-03 12:00")}
    assert shown(connection, "key", **span) == [("bob", 1, 0, 5, 70)]


def test_one_key_alone(connection: sqlite3.Connection) -> None:
    assert shown(connection, "model", key="bob") == [("m", 1, 0, 5, 70), ("n", 1, 1, 0, 0)]
    assert shown(connection, "key", key="'; DROP TABLE exchanges") == []


@pytest.mark.parametrize("by", DIMENSIONS)
def test_all_dimensions(connection: sqlite3.Connection, by: str) -> None:
    groups = read_usage(connection, Query([by]))
    assert sum(group["requests"] for group in groups) == 4
    assert sum(group["estimated"] for group in groups) == 1


def test_pruned_days_count_where_they_can(connection: sqlite3.Connection) -> None:
    wanted = shown(connection, "key"), shown(connection, "day", "model")
    assert prune(connection, at("2026-01-02 12:00")) == 2
    assert (shown(connection, "key"), shown(connection, "day", "model")) == wanted
    assert shown(connection, "key", since=at("2026-02-01 00:00")) == [
        ("", 1, 0, 1, 2), ("bob", 1, 1, 0, 0),
    ]  # fmt: skip
    assert sum(group[1] for group in shown(connection, "node")) == 2


def test_a_day_is_where_the_clock_says(connection: sqlite3.Connection) -> None:
    midnight = datetime(2026, 1, 2, tzinfo=UTC).timestamp()
    assert at("2026-01-02 00:00") == midnight
