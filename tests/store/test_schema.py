"""Files of all earlier versions are converted to the newest; others are left unchanged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from casedesk_proxy.store.schema import MIGRATIONS, StoreError, check_form, migrate

Memory = Callable[[], sqlite3.Connection]


@pytest.fixture
def memory() -> Iterator[Memory]:
    """Opens files in memory, and closes them at the test's end."""
    with ExitStack() as files:

        def open_one() -> sqlite3.Connection:
            connection = sqlite3.connect(":memory:", isolation_level=None)
            return files.enter_context(closing(connection))

        yield open_one


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


def test_an_empty_file_gets_all_tables_and_a_name_of_its_own(memory: Memory) -> None:
    one, other = memory(), memory()
    migrate(one)
    migrate(other)
    assert {"exchanges", "days"} <= tables(one)
    origins = {c.execute("SELECT value FROM facts").fetchone() for c in (one, other)}
    assert len(origins) == 2


def test_once_is_enough(memory: Memory) -> None:
    connection = memory()
    migrate(connection)
    before = list(connection.execute("SELECT * FROM facts"))
    migrate(connection)
    assert list(connection.execute("SELECT * FROM facts")) == before
    assert check_form(connection) == len(MIGRATIONS)


def test_an_older_file_keeps_its_rows(memory: Memory) -> None:
    connection = memory()
    migrate(connection)
    connection.execute("INSERT INTO facts VALUES ('mine', '1')")
    more = (*MIGRATIONS, ("ALTER TABLE days ADD COLUMN later TEXT",))
    migrate(connection, more)
    assert check_form(connection, len(more)) == len(more)
    assert connection.execute("SELECT value FROM facts WHERE name = 'mine'").fetchone() == ("1",)


def test_what_other_hosts_used_stays_without_its_surface(memory: Memory) -> None:
    connection = memory()
    before = next(at for at, one in enumerate(MIGRATIONS) if "elsewhere_now" in one[0])
    migrate(connection, MIGRATIONS[:before])
    connection.execute(
        "INSERT INTO elsewhere VALUES (7, 'r', 'alice', 'desk', 'openai', 3, 4, 5, 10.0, 1.0, 'n')"
    )
    migrate(connection)
    rows = connection.execute("SELECT * FROM elsewhere").fetchall()
    assert rows == [(7, "r", "alice", "desk", 3, 4, 10.0, 1.0, "n")]
    assert "elsewhere_by_time" in tables(connection)


def test_a_migration_that_fails_changes_nothing(memory: Memory) -> None:
    connection = memory()
    migrate(connection)
    broken = (*MIGRATIONS, ("CREATE TABLE later (x)", "no statement"))
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, broken)
    assert "later" not in tables(connection)
    assert check_form(connection) == len(MIGRATIONS)


def test_a_newer_file_is_refused(memory: Memory) -> None:
    connection = memory()
    migrate(connection)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreError, match=r"a newer version of the proxy wrote it .*; upgrade"):
        migrate(connection)
    assert not connection.in_transaction


def test_the_file_of_another_program_is_refused(memory: Memory) -> None:
    connection = memory()
    connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match="another program"):
        migrate(connection)
    assert tables(connection) == {"theirs"}
