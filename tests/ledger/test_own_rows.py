from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.ledger.elsewhere import enter_elsewhere
from casedesk_proxy.ledger.own_rows import OwnRows
from casedesk_proxy.ledger.past import LedgerReader
from casedesk_proxy.ledger.rows import LedgerRows
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.store.file import open_writer
from casedesk_proxy.store.schema import StoreError
from tests.fixtures.effort import examples
from tests.ledger.book import pack


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def file(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(path)) as connection:
        yield connection


def enter(file: sqlite3.Connection, own: OwnRows | None, *keys: str) -> None:
    """In a transaction of its own; ``own`` None: another process does it."""
    file.execute("BEGIN IMMEDIATE")
    add(file, own, *keys)
    file.execute("COMMIT")
    if own is not None:
        own.end(True)


def add(file: sqlite3.Connection, own: OwnRows | None, *keys: str) -> None:
    records = [ExchangeRecord("r", 1.0, key=one, ended=2.0) for one in keys]
    LedgerRows(own).enter(file, pack(*records))


def read(reader: LedgerReader) -> list[str]:
    return [row.key for row in reader.read_new()]


def test_own_rows_are_passed_over_and_those_of_others_read(
    path: Path, file: sqlite3.Connection
) -> None:
    reader = LedgerReader(path)
    own = reader.own
    enter(file, own, "a1")
    assert read(reader) == ["a1"], "nobody had looked yet"
    enter(file, own, "a2", "b1", "a3")
    enter(file, own, "a4")
    assert read(reader) == []
    enter(file, None, "x1")
    enter(file, own, "a5")
    enter(file, None, "x2", "x3")
    enter(file, own, "a6")
    assert read(reader) == ["x1", "x2", "x3"]
    enter(file, None, "x4")
    assert read(reader) == ["x4"]
    assert read(reader) == []


def test_what_is_undone_was_never_there(path: Path, file: sqlite3.Connection) -> None:
    reader = LedgerReader(path)
    own = reader.own
    assert read(reader) == []
    file.execute("BEGIN IMMEDIATE")
    add(file, own, "a1", "a2")
    assert read(reader) == []
    file.execute("ROLLBACK")
    own.end(False)
    enter(file, None, "x1", "x2", "x3")
    enter(file, own, "a1", "a2")
    assert read(reader) == ["x1", "x2", "x3"]


def test_a_file_in_place_of_the_former_one_has_other_ids(path: Path, tmp_path: Path) -> None:
    reader, other = LedgerReader(path), tmp_path / "other.db"
    own = reader.own
    with closing(open_writer(path)) as file:
        assert read(reader) == []
        enter(file, own, *["a"] * 40)
        assert read(reader) == []
        enter(file, own, "a")
    with closing(open_writer(other)) as file:
        enter(file, own, "b1")
    other.replace(path)
    assert read(reader) == [], "what was there when the reader noticed is not counted"
    with closing(open_writer(path)) as file:
        enter(file, None, "x1")
        enter(file, own, "b2")
        enter(file, None, *["x"] * 50)
    assert read(reader) == ["x1", *["x"] * 50]


class Clock:
    """Seconds of a monotonic clock."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_process_that_writes_knows_that_nobody_else_does(
    path: Path, file: sqlite3.Connection
) -> None:
    clock = Clock()
    reader = LedgerReader(path, now=clock)
    assert not reader.knows_all(), "nothing was read yet"
    enter(file, reader.own, "a1")
    assert read(reader) == ["a1"]
    assert reader.knows_all()
    enter(file, reader.own, "a2", "b1")
    assert reader.knows_all()
    clock.seconds += 0.2
    assert not reader.knows_all(), "its last transaction was too long ago"
    assert read(reader) == []
    enter(file, None, "x1")
    enter(file, reader.own, "a3")
    assert not reader.knows_all()
    assert read(reader) == ["x1"]
    assert reader.knows_all()


def test_what_came_from_other_hosts_is_not_known(path: Path, file: sqlite3.Connection) -> None:
    """This process itself may have copied it."""
    reader = LedgerReader(path, now=Clock())
    enter(file, reader.own, "a1")
    read(reader)
    used = ("r", "x1", "desk", 1, 2, time.time(), 0.5, "n")
    file.execute("BEGIN")
    enter_elsewhere(file, 0, 7, [used], time.time())
    file.execute("COMMIT")
    enter(file, reader.own, "a2")
    assert not reader.knows_all()
    assert read(reader) == ["x1"]
    assert reader.knows_all()


def test_what_could_not_be_read_is_not_known(path: Path, file: sqlite3.Connection) -> None:
    reader = LedgerReader(path, now=Clock())
    enter(file, reader.own, "a1")
    read(reader)
    enter(file, None, "x1")
    enter(file, reader.own, "a2")
    aside = path.rename(path.with_name("aside.db"))
    for _ in range(2):
        with pytest.raises(StoreError):
            reader.read_new()
        assert not reader.knows_all()
    aside.rename(path)
    assert read(reader) == ["x1"]
    assert reader.knows_all()


def test_a_file_that_seems_unchanged_is_not_opened(path: Path, file: sqlite3.Connection) -> None:
    reader, log = LedgerReader(path), f"{path}-wal"
    enter(file, None, "x1")
    # From now on the log is written from its beginning again, so that its size stays.
    file.execute("PRAGMA wal_checkpoint(RESTART)")
    os.utime(path, (0, 0))
    os.utime(log, (0, 0))
    assert read(reader) == ["x1"]
    enter(file, None, "x2")
    os.utime(log, (0, 0))
    assert read(reader) == []
    os.utime(log, (1, 1))
    assert read(reader) == ["x2"]


def test_spans_that_nobody_reads_are_bounded() -> None:
    own = OwnRows(max_spans=2)
    own.follow()
    for first in (1, 3, 5):
        own.note(first, first)
        own.end(True)
    assert own.list_others(0, 6) == [(1, 2), (4, 4), (6, 6)]


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["own", "undone", "other", "read"]), st.integers(1, 4)),
        max_size=40,
    )
)
@examples(200)
def test_each_row_of_another_is_read_once_and_no_own_one_ever(
    steps: list[tuple[str, int]],
) -> None:
    own, newest, seen, others = OwnRows(), 0, 0, list[int]()
    found: list[int] = []
    met, shown = 0, 0
    own.follow()
    for what, count in [*steps, ("read", 1)]:
        ids = range(newest + 1, newest + count + 1)
        if own.met[0] == met:
            assert all(one > shown or one <= seen for one in others), "nobody was met"
        if what == "read":
            met = own.met[0]
            for first, last in own.list_others(seen, newest):
                found += range(first, last + 1)
            own.forget(newest)
            seen = newest
            continue
        if what == "other":
            others += ids
        else:
            own.note(ids[0], ids[-1])
            own.end(what == "own")
            shown = ids[-1] if what == "own" else shown
        if what != "undone":
            newest = ids[-1]
    assert found == others
