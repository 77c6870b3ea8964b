"""The row of an exchange in the ledger: its key and its counts, and nothing of its content."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from casedesk_proxy.ledger.packed import PackedRows
from casedesk_proxy.ledger.rows import COLUMNS, LedgerRows
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.store.file import FILE_NAME, open_reader, open_writer
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.store.writer import StoreWriter
from casedesk_proxy.terms import Usage
from tests.fixtures.table import table
from tests.ledger.book import book, pack

WHOLE = ExchangeRecord(
    request_id="r1", started=100.0, ended=102.5, method="POST", target="/secret?q", client="::1",
    surface="openai", action="chat/completions", deployment="desk", key="alice", asked="gpt",
    model="m", node="gpu0", attempts=1, queued=0.25, status=200, terminal=Terminal.COMPLETED,
    first_byte=101.0, received=10, sent=20, events=3, usage=Usage(5, 7, 2, 1),
)  # fmt: skip


def enter(outcome: ExchangeRecord, rows: LedgerRows | None = None) -> dict[str, object]:
    rows = rows or LedgerRows(read_ahead=lambda: 1_700_000_000.125)
    with book() as connection:
        rows.enter(connection, pack(outcome))
        row = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM exchanges").fetchone()
    return dict(zip(COLUMNS, row, strict=True))


def test_a_whole_exchange() -> None:
    assert enter(WHOLE) == {
        "request": "r1", "ended": 1_700_000_102.625, "key": "alice", "deployment": "desk",
        "surface": "openai", "action": "chat/completions", "asked": "gpt", "model": "m",
        "node": "gpu0", "status": 200, "ending": "completed", "code": "", "prompt": 5, "output": 7,
        "cached": 2, "thoughts": 1, "estimated": 0, "first_byte": 1.0, "duration": 2.5,
        "queued": 0.25,
    }  # fmt: skip


@table("terminal", Terminal)
def test_every_ending_has_a_row(terminal: Terminal) -> None:
    bare = ExchangeRecord(request_id="r", started=1.0, ended=1.0, terminal=terminal)
    row = enter(bare)
    assert row["ending"] == terminal.value
    assert (row["prompt"], row["output"], row["first_byte"]) == (None, None, None)


@table("count", [0, 1, 2, 127, 128, 129, 300])
def test_as_many_as_come_each_for_itself(count: int) -> None:
    given = [
        replace(
            WHOLE, request_id=f"r{n}", key=f"k{n % 3}", ended=102 + n, usage=Usage(n, n % 2, None)
        )
        for n in range(count)
    ]  # fmt: skip
    with book() as connection:
        LedgerRows(read_ahead=lambda: 1e9).enter(connection, pack(*given))
        rows = connection.execute(
            "SELECT request, key, prompt, output, duration, ended FROM exchanges ORDER BY prompt"
        )
        assert rows.fetchall() == [
            (f"r{n}", f"k{n % 3}", n, n % 2, 2.0 + n, 1e9 + 102 + n) for n in range(count)
        ]


@table(("cached", "thoughts"), [(None, None), (3, None), (None, 0), (2, 1)])
def test_what_a_node_did_not_tell_is_not_known(cached: int | None, thoughts: int | None) -> None:
    """One of several rows of a group has no counts."""
    given = replace(WHOLE, usage=Usage(5, 7, cached, thoughts))
    plain = replace(WHOLE, request_id="r0", usage=Usage(1, 1))
    with book() as connection:
        LedgerRows().enter(connection, pack(plain, given, plain))
        row = "SELECT prompt, output, cached, thoughts, key, first_byte FROM exchanges"
        assert connection.execute(f"{row} WHERE request = 'r1'").fetchall() == [
            (5, 7, cached, thoughts, "alice", 1.0)
        ]
        assert connection.execute(f"{row} WHERE request = 'r0'").fetchall() == 2 * [
            (1, 1, None, None, "alice", 1.0)
        ]


def test_they_are_written_but_for_floods(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    writer = StoreWriter(path, gather_s=0.001, open_file=open_writer)
    writer.start()
    rows = PackedRows(writer.bell)
    writer.join(rows, LedgerRows(read_ahead=lambda: 1.5))
    sink = rows.add
    sink(WHOLE)
    sink(replace(WHOLE, request_id="flood", summed_up=True))
    sink(replace(WHOLE, request_id="r2"))
    writer.close(10)
    with open_reader(path) as reader:
        assert list(reader.execute("SELECT request, ended FROM exchanges")) == [
            ("r1", 104.0), ("r2", 104.0),
        ]  # fmt: skip


def test_the_clock_of_exchanges_is_read_as_that_of_days() -> None:
    """Exchanges are timed by the loop's clock."""
    before = time.time()
    row = enter(replace(WHOLE, started=time.monotonic(), ended=time.monotonic()), LedgerRows())
    assert before - 1 < cast(float, row["ended"]) < time.time() + 1


def test_a_row_that_the_file_refuses_is_lost_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = StoreWriter(tmp_path / FILE_NAME, gather_s=0.001)
    rows = PackedRows(writer.bell)
    writer.join(rows, LedgerRows())
    for asked in ("a", "\ud800", "b"):
        rows.add(replace(WHOLE, asked=asked))
    writer.start()
    writer.close(10)
    with open_reader(writer.path) as reader:
        assert list(reader.execute("SELECT asked FROM exchanges")) == [("a",), ("b",)]
    assert (writer.written, writer.dropped, writer.waiting) == (2, 1, 0)
    assert caplog.text.count("a row could not be written") == 1


def test_rows_wait_for_a_file_that_is_locked_up_to_a_bound(tmp_path: Path) -> None:
    writer = StoreWriter(
        tmp_path / FILE_NAME, gather_s=0.001, retry_s=0.01,
        open_file=lambda path: open_writer(path, busy_s=0.01),
    )  # fmt: skip
    rows = PackedRows(writer.bell, 1024)
    writer.join(rows, LedgerRows())
    writer.start()
    with closing(open_writer(writer.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(1500):
            rows.add(replace(WHOLE, ended=200.0 + number))
        with pytest.raises(StoreError, match="locked"):
            writer.perform(lambda connection: None).result(10)
        assert (writer.waiting, writer.dropped) == (1024, 476)
        other.execute("ROLLBACK")
    writer.close(10)
    with open_reader(writer.path) as reader:
        assert list(
            reader.execute("SELECT count(*), min(duration), max(duration) FROM exchanges")
        ) == [(1024, 100.0, 1123.0)]
