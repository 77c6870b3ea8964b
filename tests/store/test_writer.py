"""Whatever happens to the file, requests do not wait for it, and as little as possible is lost."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from casedesk_proxy.store.file import FILE_NAME, open_reader, open_writer
from casedesk_proxy.store.schema import MIGRATIONS, StoreError
from casedesk_proxy.store.writer import Insert, StoreWriter
from tests.fixtures.patience import PATIENCE_S

FACT = Insert("INSERT INTO facts VALUES (?, ?)", lambda item: (item, "x"))
COUNT = "SELECT count(*) FROM facts WHERE value = 'x'"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def make(path: Path) -> Iterator[Callable[..., StoreWriter]]:
    made: list[StoreWriter] = []

    def make(**named: Any) -> StoreWriter:
        patient = {"gather_s": 0.001, "retry_s": 0.01, **named}
        patient.setdefault("open_file", lambda path: open_writer(path, busy_s=0.01))
        writer = StoreWriter(path, **patient)
        made.append(writer)
        writer.start()
        return writer

    yield make
    for writer in made:
        writer.close(PATIENCE_S)


def write(writer: StoreWriter, *names: str) -> None:
    for name in names:
        writer.write(FACT, name)


def wait(writer: StoreWriter) -> None:
    """Wait until the writer has done, or has tried to do, all of its work."""
    writer.perform(lambda connection: None).exception(PATIENCE_S)


@contextmanager
def holding(writer: StoreWriter) -> Iterator[None]:
    """The writer's thread does nothing else meanwhile: what is handed over is written together."""
    held, free = threading.Event(), threading.Event()

    def hold(connection: sqlite3.Connection) -> None:
        held.set()
        free.wait(PATIENCE_S)

    writer.perform(hold)
    assert held.wait(PATIENCE_S)
    try:
        yield
    finally:
        free.set()


def until_written(writer: StoreWriter) -> None:
    """Wait until all rows are in the file and the writer has noted it, which it does a moment
    later."""
    until(lambda: not writer.waiting)
    wait(writer)


def count(path: Path) -> int:
    with open_reader(path) as reader:
        return int(reader.execute(COUNT).fetchone()[0])


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds: the writer tries again automatically."""
    tick = threading.Event()
    while not condition():
        tick.wait(0.002)


def test_rows_are_in_the_file_in_their_order(make: Callable[..., StoreWriter], path: Path) -> None:
    writer = make()
    write(writer, *map(str, range(5000)))
    wait(writer)
    with open_reader(path) as reader:
        names = [n for (n,) in reader.execute("SELECT name FROM facts WHERE value='x'")]
    assert sorted(names, key=int) == [str(number) for number in range(5000)]
    assert (writer.written, writer.waiting, writer.dropped, writer.failures) == (5000, 0, 0, 0)


def test_rows_of_several_kinds_keep_their_order(make: Callable[..., StoreWriter]) -> None:
    writer = make()
    gone = Insert("DELETE FROM facts WHERE name = ?", lambda item: (item,))
    write(writer, "a", "b")
    writer.write(gone, "a")
    write(writer, "a")
    wait(writer)
    assert writer.dropped == 0


def test_rows_that_come_while_others_are_written_wait_for_more(
    make: Callable[..., StoreWriter],
) -> None:
    writer = make(gather_s=3600.0)
    sizes: list[int] = []

    class Followed:
        """Each of its rows is followed by another one while it is inserted."""

        def enter(self, connection: sqlite3.Connection, items: Sequence[Any]) -> None:
            sizes.append(len(items))
            if len(sizes) < 10:
                writer.write(self, None)

    with holding(writer):
        writer.write(Followed(), None)
        # Looked at in the writer's thread, between its transactions.
        looks = [writer.perform(lambda connection: (len(sizes), writer.waiting)) for _ in range(2)]
    assert [look.result(PATIENCE_S) for look in looks] == [(1, 1), (2, 1)]


async def test_work_is_done_behind_the_rows_and_has_a_result(
    make: Callable[..., StoreWriter],
) -> None:
    writer = await asyncio.to_thread(make)
    write(writer, "a", "b")
    counted = await asyncio.wrap_future(
        writer.perform(lambda connection: connection.execute(COUNT).fetchone()[0])
    )
    assert counted == 2


def test_work_that_fails_leaves_nothing(make: Callable[..., StoreWriter], path: Path) -> None:
    writer = make()

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO facts VALUES ('half', 'x')")
        raise KeyError("no")

    with pytest.raises(KeyError):
        writer.perform(work).result(PATIENCE_S)
    assert count(path) == 0
    write(writer, "a")
    wait(writer)
    assert count(path) == 1


def test_work_that_nobody_wants_any_more_is_not_done(make: Callable[..., StoreWriter]) -> None:
    writer = make()
    with holding(writer):
        unwanted: Future[None] = writer.perform(lambda connection: pytest.fail("done"))
        assert unwanted.cancel()
    wait(writer)


def test_a_locked_file(
    make: Callable[..., StoreWriter], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = make()
    with caplog.at_level(logging.WARNING):
        other = open_writer(path)
        other.execute("BEGIN IMMEDIATE")
        write(writer, "a")
        with pytest.raises(StoreError, match="locked"):
            writer.perform(lambda connection: None).result(PATIENCE_S)
        until(lambda: writer.failures > 3)
        assert (writer.waiting, "locked" in writer.fault) == (1, True)
        other.execute("ROLLBACK")
        other.close()
        until_written(writer)
    assert count(path) == 1
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2, "once, and once that it is over"
    assert "cannot be written: database is locked" in said[0]
    assert "can be written again; 0 rows were lost meanwhile" in said[1]


def test_a_locked_file_at_the_start(make: Callable[..., StoreWriter], path: Path) -> None:
    open_writer(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("INSERT INTO facts VALUES ('b', 'c')")
    writer = make()
    write(writer, "a")
    assert writer.fault
    other.execute("ROLLBACK")
    other.close()
    until_written(writer)
    assert count(path) == 1


def test_work_that_is_done_ends_a_fault_before_it_has_a_result(
    make: Callable[..., StoreWriter], path: Path
) -> None:
    open_writer(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    writer = make()
    other.close()
    assert "locked" in writer.fault
    seen: list[str] = []
    is_followed = threading.Event()
    done = writer.perform(lambda connection: is_followed.wait(PATIENCE_S))
    done.add_done_callback(lambda _: seen.append(writer.fault))
    is_followed.set()
    wait(writer)
    assert seen == [""]


def test_what_waits_has_a_bound(
    make: Callable[..., StoreWriter], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = make(max_waiting_rows=5)
    other = open_writer(path)
    other.execute("BEGIN IMMEDIATE")
    write(writer, "a")
    until(lambda: writer.failures > 0)
    # One is in the batch that is tried again.
    write(writer, *map(str, range(100)))
    assert writer.waiting <= 11
    other.execute("ROLLBACK")
    other.close()
    until_written(writer)
    assert count(path) + writer.dropped == 101
    assert f"{writer.dropped} rows were lost meanwhile" in caplog.text


def test_a_deleted_file_is_made_again(
    make: Callable[..., StoreWriter], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = make()
    write(writer, "a")
    wait(writer)
    for one in path.parent.glob(f"{FILE_NAME}*"):
        one.unlink()
    write(writer, "b")
    wait(writer)
    assert count(path) == 1
    assert writer.dropped == 0
    assert f"{path} was deleted or replaced: keys, use and files" in caplog.text


def test_a_damaged_file_is_written_once_it_is_out_of_the_way(
    make: Callable[..., StoreWriter], path: Path
) -> None:
    path.write_bytes(b"no database" * 1000)
    writer = make()
    write(writer, "a")
    wait(writer)
    assert writer.fault.startswith("file is not a database; restore a copy of it, or move it away")
    path.rename(path.with_suffix(".broken"))
    until_written(writer)
    assert count(path) == 1


def test_a_full_disk(make: Callable[..., StoreWriter], path: Path) -> None:
    full = True

    def open_file(path: Path) -> sqlite3.Connection:
        connection = open_writer(path)
        if full:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    writer = make(open_file=open_file)
    with holding(writer):
        write(writer, *map(str, range(2000)))
    wait(writer)
    assert (writer.fault, writer.waiting) == (
        "database or disk is full; make room on its disk",
        2000,
    )
    full = False
    until_written(writer)
    assert count(path) == 2000


def test_a_row_that_cannot_be_is_lost_alone(
    make: Callable[..., StoreWriter], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = make()
    with holding(writer):
        write(writer, "a", "\ud800", "b")
        writer.write(FACT, 2**70)
        write(writer, "a", "c")
    wait(writer)
    assert count(path) == 3
    assert (writer.dropped, writer.written, writer.fault) == (3, 3, "")
    assert caplog.text.count("a row could not be written") == 3


def test_a_disk_that_is_full_while_rows_are_written_singly_loses_none(
    make: Callable[..., StoreWriter], path: Path
) -> None:
    class Spoilt:
        """Its rows cannot be written together, and the last one only once."""

        def __init__(self) -> None:
            self.is_full = True

        def enter(self, connection: sqlite3.Connection, items: Sequence[Any]) -> None:
            if len(items) > 1:
                raise sqlite3.IntegrityError("one of them is wrong")
            if items == ["b"] and self.is_full:
                self.is_full = False
                raise sqlite3.OperationalError("database or disk is full")
            FACT.enter(connection, items)

    writer = make()
    entry = Spoilt()
    with holding(writer):
        for name in ("a", "b", "c"):
            writer.write(entry, name)
    until_written(writer)
    assert (count(path), writer.dropped, writer.failures, writer.written) == (3, 0, 1, 3)


def test_it_is_told_which_transactions_are_in_the_file(make: Callable[..., StoreWriter]) -> None:
    writer, told = make(), list[tuple[bool, bool, int]]()
    commits = writer.commits
    commits.ended = lambda is_done: told.append(
        (is_done, commits.committing.locked(), writer.waiting)
    )
    write(writer, "a")
    wait(writer)
    writer.write(FACT, 2**70)
    wait(writer)
    assert (True, True, 0) in told
    assert (False, False, 1) in told


def test_the_end_writes_what_waits(make: Callable[..., StoreWriter], path: Path) -> None:
    writer = make(gather_s=30.0)
    write(writer, "a")
    writer.close(PATIENCE_S)
    assert count(path) == 1
    with pytest.raises(StoreError, match="stopping"):
        writer.perform(lambda connection: None).result(1)


def test_the_end_tries_once_more_what_could_not_be_written(
    make: Callable[..., StoreWriter], path: Path
) -> None:
    tried = threading.Event()

    class Late:
        """The end comes while its row cannot be written yet."""

        def enter(self, connection: sqlite3.Connection, items: Sequence[Any]) -> None:
            if not tried.is_set():
                end = threading.Thread(target=writer.close, args=(0.0,))
                end.start()
                end.join()
                tried.set()
                raise sqlite3.OperationalError("database is locked")
            FACT.enter(connection, items)

    writer = make()
    writer.write(Late(), "a")
    assert tried.wait(PATIENCE_S)
    writer.close(PATIENCE_S)
    assert count(path) == 1


def test_the_end_says_what_is_lost(
    make: Callable[..., StoreWriter], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = make()
    path.unlink()
    path.mkdir()
    write(writer, "a")
    until(lambda: bool(writer.fault))
    writer.close(PATIENCE_S)
    assert "1 rows could not be written before the proxy stopped" in caplog.text


def test_a_file_that_can_never_be_ours(make: Callable[..., StoreWriter], path: Path) -> None:
    connection = open_writer(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StoreError, match="newer version"):
        make()
    with pytest.raises(StoreError, match="Not a directory"):
        StoreWriter(path / "below" / FILE_NAME).start()


def test_several_write_one_file(make: Callable[..., StoreWriter], path: Path) -> None:
    writers = [make(open_file=open_writer) for _ in range(3)]
    for number in range(300):
        for name, writer in zip("abc", writers, strict=True):
            writer.write(FACT, f"{name}{number}")
    for writer in writers:
        wait(writer)
    assert count(path) == 900
    assert [writer.dropped for writer in writers] == [0, 0, 0]
