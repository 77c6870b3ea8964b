"""Sessions and users in the state file."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from casedesk_proxy.console.rows import (
    Session,
    StoredUser,
    end_session,
    keep_session,
    keep_user,
    read_all,
    read_version,
    remove_user,
)
from casedesk_proxy.store.file import FILE_NAME, open_writer

SESSION = Session("d1", "alice", "key", "p", 1.0, 1.0, 100.0)
USER = StoredUser("dora", "h", ("desk",), True, "note", "{}", 5.0)


def test_what_is_kept_is_read_and_noted_by_a_number(tmp_path: Path) -> None:
    with closing(open_writer(tmp_path / FILE_NAME)) as file:
        assert (read_version(file), read_all(file)) == (0, ([], []))
        keep_session(file, SESSION, 1.0)
        assert keep_user(file, USER)
        assert not keep_user(file, replace(USER, admin=False))
        assert read_all(file) == ([SESSION], [replace(USER, admin=False)])
        assert read_version(file) == 3
        end_session(file, "d1")
        assert remove_user(file, "dora")
        assert not remove_user(file, "dora")
        assert read_all(file) == ([], [])
        assert read_version(file) == 6


def test_sessions_that_have_ended_go_as_another_comes(tmp_path: Path) -> None:
    with closing(open_writer(tmp_path / FILE_NAME)) as file:
        keep_session(file, SESSION, 1.0)
        keep_session(file, replace(SESSION, digest="d2", expires=300.0), 100.0)
        assert [one.digest for one in read_all(file)[0]] == ["d2"]


def test_nothing_secret_is_shown() -> None:
    shown = repr(replace(SESSION, digest="secret1", proof="secret2"))
    shown += repr(replace(USER, password="secret3"))
    assert "secret" not in shown
