"""Where the state file is, which users may read it, and the messages for one that cannot be
used."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from casedesk_proxy.store.file import FILE_NAME, explain, find_directory, open_reader, open_writer
from casedesk_proxy.store.schema import MIGRATIONS, StoreError
from tests.fixtures.table import table


@table(
    ("configured", "environ", "wanted"),
    [
        ("/mine", {"STATE_DIRECTORY": "/var/lib/c"}, Path("/mine")),
        (None, {"STATE_DIRECTORY": "/var/lib/c:/var/lib/d", "HOME": "/h"}, Path("/var/lib/c")),
        (None, {"XDG_STATE_HOME": "/x", "HOME": "/h"}, Path("/x/casedesk-proxy")),
        (None, {"HOME": "/h"}, Path("/h/.local/state/casedesk-proxy")),
        (None, {"HOME": ""}, None),
        (None, {}, None),
    ],
)
def test_its_place(configured: str | None, environ: dict[str, str], wanted: Path | None) -> None:
    assert find_directory(configured, environ) == wanted


def test_it_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / FILE_NAME
    open_writer(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_who_reads_sees_what_is_written_meanwhile_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    writer = open_writer(path)
    with open_reader(path) as reader:
        writer.execute("INSERT INTO facts VALUES ('a', 'b')")
        assert ("a", "b") in list(reader.execute("SELECT * FROM facts"))
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("DELETE FROM facts")
    writer.close()


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="directory"):
        open_writer(tmp_path / "file" / "state" / FILE_NAME)


def test_what_is_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(b"not at all " * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        open_writer(path)
    with pytest.raises(StoreError, match=r"^file is not a database; restore a copy of it, or move"):
        open_reader(path)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        open_reader(tmp_path / FILE_NAME)
    assert not (tmp_path / FILE_NAME).exists()


def test_a_file_that_is_just_being_made_is_not_an_older_one(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()
    with pytest.raises(StoreError, match="is empty; the proxy fills it"):
        open_reader(tmp_path / FILE_NAME)


def test_a_newer_and_an_older_file_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    writer = open_writer(path)
    for version, wanted in ((len(MIGRATIONS) + 1, "newer"), (len(MIGRATIONS) - 1, "converts it")):
        writer.execute(f"PRAGMA user_version = {version}")
        with pytest.raises(StoreError, match=wanted):
            open_reader(path)
    writer.close()


def test_a_file_system_that_cannot_share_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stubborn(sqlite3.Connection):
        def execute(self, sql: str, *rest: object) -> sqlite3.Cursor:  # type: ignore[override]
            if "journal_mode" in sql:
                sql = "SELECT 'delete'"
            return super().execute(sql, *rest)  # type: ignore[arg-type]

    connect = sqlite3.connect
    monkeypatch.setattr(
        "sqlite3.connect", lambda *given, **named: connect(*given, factory=Stubborn, **named)
    )
    with pytest.raises(StoreError, match="state_directory to a local"):
        open_writer(tmp_path / FILE_NAME)


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        (
            "SQLITE_IOERR_SHMSIZE",
            "disk I/O error",
            "disk I/O error; look whether its disk is full",
        ),
        (
            "SQLITE_FULL",
            "database or disk is full",
            "database or disk is full; make room on its disk",
        ),
    ],
)
def test_an_error_of_the_disk_says_what_to_do(name: str, words: str, told: str) -> None:
    error = sqlite3.OperationalError(words)
    error.sqlite_errorname = name
    assert explain(error) == told
