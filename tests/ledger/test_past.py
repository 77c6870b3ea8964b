from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from casedesk_proxy.ledger.past import LedgerReader
from casedesk_proxy.ledger.rows import LedgerRows
from casedesk_proxy.limits.book import PastSum, Spent
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.store.file import open_writer
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.terms import Usage

#: A multiple of a quarter of an hour.
NOW = 1_798_804_800.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def enter(file: Path, request: str, ended: float, usage: Usage, surface: str = "openai") -> None:
    connection = open_writer(file)
    one = ExchangeRecord(
        request, 10.0, surface=surface, key="alice", deployment="desk", node="n", ended=12.0,
        usage=usage,
    )  # fmt: skip
    LedgerRows().enter(connection, [(ended, one)])
    connection.close()


def test_sums_are_by_quarters_of_an_hour_and_the_last_exchanges_by_themselves(file: Path) -> None:
    enter(file, "r1", NOW - 5000, Usage(1, 2, None, 4))
    enter(file, "r2", NOW - 4990, Usage(10, 20, None, 40), "gemini")
    enter(file, "r3", NOW - 10, Usage())
    past = LedgerReader(file).read_past(NOW - 86400, NOW)
    assert sorted(past.sums, key=lambda one: (one.when, one.tokens)) == [
        PastSum("alice", "desk", NOW - 5400, 33),
        PastSum("alice", "desk", NOW - 900, 0),
    ]
    assert past.recent == [Spent("r3", "alice", "desk", 0, NOW - 12, NOW - 10, asked=True)]


def test_older_exchanges_are_left_out_and_pruned_days_are_not(file: Path) -> None:
    enter(file, "r1", NOW - 5000, Usage(1, 2))
    connection = open_writer(file)
    day = "INSERT INTO days VALUES ('2026-12-31', 'alice', 'desk', 'm', 1, 0, 0, 5, 6, 0, 0, 1.0)"
    connection.execute(day)
    connection.close()
    assert LedgerReader(file).read_past(NOW, NOW).sums == []
    sums = LedgerReader(file).read_past(NOW - 3 * 86400, NOW).sums
    assert PastSum("alice", "desk", NOW - 86400, 11) in sums


def test_what_is_new_is_read_once(file: Path) -> None:
    enter(file, "r1", NOW, Usage(1, 2))
    reader = LedgerReader(file)
    reader.read_past(NOW - 86400, NOW)
    assert reader.read_new() == []
    enter(file, "r2", NOW + 1, Usage(3, 4))
    assert [one.request for one in reader.read_new()] == ["r2"]
    assert reader.read_new() == []


def test_a_file_that_is_not_there_is_an_error(file: Path) -> None:
    with pytest.raises((StoreError, sqlite3.Error)):
        LedgerReader(file).read_new()
