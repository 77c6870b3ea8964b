"""Every change in the state file is noticed; if it cannot be read, nothing changes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from casedesk_proxy.auth.keys import KeyTable
from casedesk_proxy.keystore.changes import expire, note_use, revoke
from casedesk_proxy.keystore.watch import KeyWatch
from casedesk_proxy.store.facts import count_up, read_number
from casedesk_proxy.store.file import FILE_NAME, open_writer
from tests.keystore.keys import BY, NOON, changing, enter, made


class Watched:
    def __init__(self, path: Path) -> None:
        self.now = NOON
        self.tables: list[KeyTable] = []
        self.watch = KeyWatch(path, self.tables.append, now=lambda: self.now)

    def look(self) -> set[str] | None:
        """The names of the valid keys, if they have changed."""
        return set(self.tables[-1].names) if self.watch.look() else None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def watched(path: Path) -> Iterator[Watched]:
    enter(path, made("alice"))
    one = Watched(path)
    yield one
    one.watch.stop()


def test_only_changes_of_keys_are_told(path: Path, watched: Watched) -> None:
    assert watched.look() == {"alice"}
    assert watched.look() is None
    with changing(path) as connection:
        note_use(connection, {"alice": NOON})
    assert watched.look() is None
    enter(path, made("bob"))
    assert watched.look() == {"alice", "bob"}
    with changing(path) as connection:
        revoke(connection, "alice", BY)
    assert watched.look() == {"bob"}


def test_a_file_that_was_never_read_makes_no_table(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An empty one would say that there are no keys."""
    one = Watched(path)
    assert one.look() is None
    assert caplog.messages == [
        f"keys in {path} cannot be read: No such file or directory; their requests get 503"
        " until it can"
    ]
    enter(path, made("alice"))
    assert one.look() == {"alice"}
    one.watch.stop()


def test_the_log_has_the_names_that_changed(
    path: Path, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    watched.look()
    assert caplog.messages == []
    enter(path, *(made(f"k{number:02}") for number in range(12)))
    watched.look()
    with changing(path) as connection:
        expire(connection, "alice", NOON + 9, BY)
    watched.look()
    names = ", ".join(f"k{number:02}" for number in range(10))
    assert caplog.messages == [
        f"keys changed in the state file: {names} and 2 more",
        "keys changed in the state file: alice",
    ]


def test_a_key_ends_in_time_and_a_clock_may_jump_back(path: Path, watched: Watched) -> None:
    enter(path, made("bob", expires=NOON + 60))
    assert watched.look() == {"alice", "bob"}
    watched.now += 59
    assert watched.look() is None
    watched.now += 1
    assert watched.look() == {"alice"}
    watched.now -= 30
    assert watched.look() == {"alice", "bob"}


def test_a_file_that_cannot_be_read_leaves_the_keys(
    path: Path, watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.look()
    aside = path.with_suffix(".aside")
    os.rename(path, aside)
    assert watched.look() is None
    assert watched.look() is None
    assert "No such file" in watched.watch.fault
    assert len(caplog.messages) == 1
    os.rename(aside, path)
    watched.look()
    assert (watched.watch.fault, watched.tables[-1].names) == ("", {"alice"})


def test_another_file_in_its_place(path: Path, watched: Watched, tmp_path: Path) -> None:
    watched.look()
    other = tmp_path / "other.db"
    enter(other, made("bob"))
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    os.replace(other, path)
    assert watched.look() == {"bob"}


def test_damage_is_a_fault_and_no_end(path: Path, watched: Watched) -> None:
    watched.look()
    with changing(path) as connection:
        connection.execute("UPDATE keys SET deployments = 'no JSON'")
        connection.execute("UPDATE facts SET value = '77' WHERE name = 'keys'")
    assert watched.look() is None
    assert watched.watch.fault
    assert watched.tables[-1].names == {"alice"}


def test_its_thread_looks_until_it_is_stopped(path: Path) -> None:
    enter(path, made("alice"))
    seen, told = threading.Event(), []

    def publish(table: KeyTable) -> None:
        told.append(table.names)
        if "bob" in table.names:
            seen.set()

    watch = KeyWatch(path, publish, look_s=0.01)
    watch.start()
    assert watch.looked.wait(10)
    enter(path, made("bob"))
    assert seen.wait(10)
    watch.stop()
    watch._thread.join(10)
    assert not watch._thread.is_alive()


def _die_within_a_change(path: Path, begun: multiprocessing.synchronize.Event) -> None:
    connection = open_writer(path)
    connection.execute("BEGIN IMMEDIATE")
    revoke(connection, "alice", BY)
    begun.set()
    signal.pause()


def test_a_process_that_is_killed_within_a_change_has_changed_nothing(
    path: Path, watched: Watched
) -> None:
    watched.look()
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    process = context.Process(target=_die_within_a_change, args=(path, begun))
    process.start()
    assert begun.wait(30)
    assert watched.look() is None
    process.kill()
    process.join(30)
    assert watched.look() is None
    with changing(path) as connection:
        revoke(connection, "alice", BY)
    assert watched.look() == set()


def _enter(path: Path, name: str) -> None:
    enter(path, made(name))


def test_other_processes_are_seen_beside_a_writer_of_this_one(path: Path, watched: Watched) -> None:
    """The last process that closes the file deletes its log, but not while it is open here."""
    assert watched.look() == {"alice"}
    ours = open_writer(path)
    context = multiprocessing.get_context("spawn")
    seen = []
    for name in ("bob", "carol"):
        process = context.Process(target=_enter, args=(path, name))
        process.start()
        process.join(30)
        seen.append(watched.look())
    ours.close()
    assert seen == [{"alice", "bob"}, {"alice", "bob", "carol"}]


def test_who_has_changed_a_key_waits_for_no_turn(path: Path) -> None:
    tables: list[KeyTable] = []
    watch = KeyWatch(path, tables.append, look_s=3600)
    watch.start()
    for names in (["alice"], ["alice", "bob"]):
        enter(path, made(names[-1]))
        looked = threading.Event()
        watch.hurry(looked.set)
        assert looked.wait(30)
        assert sorted(tables[-1].names) == names
    watch.stop()


def test_a_file_that_has_not_changed_is_not_read(
    path: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.look()
    os.utime(path, (1, 1))
    os.utime(f"{path}-wal", (1, 1)) if Path(f"{path}-wal").exists() else None
    watched.look()
    reads: list[object] = []
    monkeypatch.setattr("casedesk_proxy.keystore.watch.read_version", reads.append)
    assert watched.look() is None
    assert not reads


def test_others_hear_of_their_numbers(path: Path, watched: Watched) -> None:
    told: list[str] = []
    watched.watch.inform(lambda file: read_number(file, "console"), lambda: told.append("console"))
    watched.look()
    watched.look()
    assert told == ["console"]
    enter(path, made("bob"))
    assert watched.look() == {"alice", "bob"}
    assert told == ["console"]
    with changing(path) as connection:
        count_up(connection, "console")
    assert watched.look() is None
    assert told == ["console", "console"]
