"""Files in the state file: which clients find which of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from casedesk_proxy.files.rows import find_file
from casedesk_proxy.store.schema import migrate
from tests.files.stores import NOW, insert


@pytest.fixture
def rows() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        yield connection


def test_a_file_is_found_by_its_owner_alone(rows: sqlite3.Connection) -> None:
    insert(rows, id="a1")
    found = find_file(rows, "alice", "a1", NOW)
    assert found is not None
    assert (found.id, found.owner, found.size) == ("a1", "alice", 3)
    assert find_file(rows, "bob", "a1", NOW) is None


def test_a_chosen_id_is_each_owners_own(rows: sqlite3.Connection) -> None:
    insert(rows, id="a1", chosen="mine")
    insert(rows, id="b1", owner="bob", chosen="mine")
    found = find_file(rows, "bob", "mine", NOW)
    assert found is not None
    assert found.id == "b1"


def test_what_nobody_finds(rows: sqlite3.Connection) -> None:
    insert(rows, id="expired", expires=NOW)
    insert(rows, id="unfinished", sha256=None)
    assert find_file(rows, "alice", "expired", NOW - 1) is not None
    for ident in ("expired", "unfinished", "other"):
        assert find_file(rows, "alice", ident, NOW) is None
