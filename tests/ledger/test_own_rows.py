from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from casedesk_proxy.ledger.own_rows import OwnRows
from casedesk_proxy.ledger.past import LedgerReader
from casedesk_proxy.ledger.rows import LedgerRows, as_item
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.store.file import open_writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def file(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(path)) as connection:
        yield connection


def enter(file: sqlite3.Connection, own: OwnRows | None, *requests: str) -> None:
    records = [ExchangeRecord(one, 1.0, key=one[0], ended=2.0) for one in requests]
    LedgerRows(own).enter(file, list(map(as_item, records)))


def read(reader: LedgerReader) -> tuple[list[str], list[str]]:
    rows = [row.request for row in reader.read_new()]
    return rows, reader.take_passed()


def test_own_rows_are_passed_over_and_those_of_others_read(
    path: Path, file: sqlite3.Connection
) -> None:
    reader = LedgerReader(path)
    own = reader.own
    enter(file, own, "a1")
    assert read(reader) == (["a1"], [])  # Nobody had looked yet.
    enter(file, own, "a2", "b1", "a3")
    enter(file, own, "a4")
    assert read(reader) == ([], ["a2", "a3", "b1", "a4"])
    enter(file, None, "x1")
    enter(file, own, "a5")
    assert read(reader) == (["x1", "a5"], [])
    enter(file, own, "a6")
    enter(file, None, "x2")
    assert read(reader) == (["x2"], ["a6"])
    assert read(reader) == ([], [])


def test_what_is_undone_was_never_there(path: Path, file: sqlite3.Connection) -> None:
    reader = LedgerReader(path)
    own = reader.own
    assert read(reader) == ([], [])
    file.execute("BEGIN IMMEDIATE")
    enter(file, own, "a1", "a2")
    assert read(reader) == ([], [])
    file.execute("ROLLBACK")
    assert read(reader) == ([], [])
    enter(file, None, "x1", "x2", "x3")
    assert read(reader) == (["x1", "x2", "x3"], [])
    enter(file, own, "a1")
    assert read(reader) == ([], ["a1"])


def test_a_batch_that_is_written_again_counts_once(path: Path, file: sqlite3.Connection) -> None:
    reader = LedgerReader(path)
    own = reader.own
    assert read(reader) == ([], [])
    file.execute("BEGIN IMMEDIATE")
    enter(file, own, "a1", "a2")
    file.execute("ROLLBACK")
    enter(file, own, "a1", "a2", "a3")
    rows, passed = read(reader)
    assert sorted(rows + passed) == ["a1", "a2", "a3"]


def test_of_more_batches_than_are_remembered_all_rows_are_read(
    path: Path, file: sqlite3.Connection
) -> None:
    reader = LedgerReader(path)
    own = reader.own
    assert read(reader) == ([], [])
    requests = [f"a{number}" for number in range(40)]
    for one in requests:
        enter(file, own, one)
    assert read(reader) == (requests, [])
