"""Old rows become sums, step by step, and nothing is counted twice or lost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from casedesk_proxy.ledger.retention import keep_pruned, prune
from casedesk_proxy.store.file import FILE_NAME, open_reader, open_writer
from casedesk_proxy.store.writer import StoreWriter
from tests.ledger.book import at, book, enter

DAY_S = 86400.0


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with book() as connection:
        yield connection


def rows(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM exchanges").fetchone()[0])


def days(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return list(
        connection.execute(
            "SELECT day, key, exchanges, failed, estimated, prompt, output FROM days"
        )
    )


def test_steps_add_up_to_the_day(connection: sqlite3.Connection) -> None:
    for minute in range(10):
        enter(
            connection, at(f"2026-01-01 10:0{minute}"), key="a", prompt=2, output=3,
            estimated=minute % 2, ending="completed" if minute else "client_gone",
        )  # fmt: skip
    enter(connection, at("2026-01-02 10:00"), key="a", prompt=7)
    before = at("2026-01-02 00:00")
    assert [prune(connection, before, most=4) for _ in range(4)] == [4, 4, 2, 0]
    assert days(connection) == [("2026-01-01", "a", 10, 1, 5, 20, 30)]
    assert rows(connection) == 1


def test_counts_that_nobody_told_are_nothing(connection: sqlite3.Connection) -> None:
    enter(connection, 0.0, prompt=None, output=None)
    prune(connection, DAY_S)
    assert days(connection) == [("1970-01-01", "", 1, 0, 0, 0, 0)]


def test_an_id_is_not_given_again(connection: sqlite3.Connection) -> None:
    enter(connection, 0.0)
    prune(connection, DAY_S)
    enter(connection, 0.0)
    assert connection.execute("SELECT id FROM exchanges").fetchall() == [(2,)]


async def test_it_goes_on_until_nothing_is_old(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME

    def prepare() -> StoreWriter:
        connection = open_writer(path)
        connection.execute("BEGIN")
        for number in range(2500):
            enter(connection, 1.0 + number % 2 * 10 * DAY_S)
        connection.execute("COMMIT")
        connection.close()
        writer = StoreWriter(path, gather_s=0.001)
        writer.start()
        return writer

    def left() -> int:
        with open_reader(path) as connection:
            return rows(connection)

    writer = await asyncio.to_thread(prepare)
    keep, looks = 0.0, 0

    def look() -> float:
        nonlocal looks
        looks += 1
        return keep

    task = asyncio.create_task(
        keep_pruned(writer, look, lambda: 11 * DAY_S, look_s=0.001, step_pause_s=0.0)
    )
    await asyncio.wrap_future(writer.perform(lambda connection: None))
    assert await asyncio.to_thread(left) == 2500, "0 keeps them for ever"
    keep = 3 * DAY_S
    while await asyncio.to_thread(left) > 1250:
        pass
    await asyncio.to_thread(writer.close, 10)
    enough = looks + 3
    while looks < enough:
        assert not task.done(), "a file that cannot be written is no reason to end"
        await asyncio.sleep(0)
    task.cancel()
