"""A change of the state file changes its sign, even if time and size stay the same."""

from __future__ import annotations

import os
import time
from pathlib import Path

from casedesk_proxy.store.sign import FileSign


def settle(*paths: Path) -> None:
    """Make the files look as if they had been written a while ago."""
    for path in paths:
        os.utime(path, (1.0, time.time() - 60))


def test_a_file_that_stays_as_it_is_has_not_changed(tmp_path: Path) -> None:
    path, log = tmp_path / "state.db", tmp_path / "state.db-wal"
    path.write_bytes(b"one")
    settle(path)
    sign = FileSign(path)
    assert [sign.may_have_changed() for _ in range(3)] == [True, False, False]
    log.write_bytes(b"two")
    settle(log)
    assert [sign.may_have_changed() for _ in range(3)] == [True, False, False]
    log.write_bytes(b"three")
    settle(log)
    assert [sign.may_have_changed() for _ in range(2)] == [True, False]
    log.unlink()
    assert [sign.may_have_changed() for _ in range(2)] == [True, False]


def test_another_file_in_its_place_is_a_change(tmp_path: Path) -> None:
    path, other = tmp_path / "state.db", tmp_path / "other"
    path.write_bytes(b"one")
    other.write_bytes(b"two")
    os.utime(path, (1, 1))
    os.utime(other, (1, 1))
    sign = FileSign(path)
    assert sign.may_have_changed()
    other.replace(path)
    assert sign.may_have_changed()
    assert not sign.may_have_changed()


def test_what_was_written_a_moment_ago_may_be_written_again_at_the_same_time(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"one")
    written = path.stat().st_mtime
    now = written + 1.0
    sign = FileSign(path, now=lambda: now)
    assert all(sign.may_have_changed() for _ in range(3))
    now = written + 3.0
    assert [sign.may_have_changed() for _ in range(2)] == [True, False]


def test_a_file_that_is_not_there_is_always_worth_a_look(tmp_path: Path) -> None:
    sign = FileSign(tmp_path / "state.db")
    assert all(sign.may_have_changed() for _ in range(3))
