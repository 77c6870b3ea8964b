"""What instances of a host read of each other, which come and go, and invalid tables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from casedesk_proxy.instances.locks import try_lock
from casedesk_proxy.instances.table import FILE_NAME, MAX_ROWS, HostTable, TableError

#: Takes a row, has 7 of a thing, says so and waits to be killed.
HOLDER = """
import sys
from pathlib import Path
from casedesk_proxy.instances.table import HostTable
table = HostTable(Path(sys.argv[1]))
table.publish(table.column("node n"), 7)
table.stamp(table.column("node n"), 2.0)
print("ready", flush=True)
sys.stdin.read()
"""


def test_each_reads_what_the_others_have(tmp_path: Path) -> None:
    one, two = HostTable(tmp_path / "made"), HostTable(tmp_path / "made")
    # Whoever asks first names it, and the others find it.
    other, column = one.column("node other"), two.column("node n")
    assert other is not None
    assert column is not None
    assert one.column("node n") == column != other == two.column("node other")
    one.publish(column, 3)
    two.publish(column, 4)
    assert one.count_elsewhere(column) == 4
    assert two.count_elsewhere(column) == 3
    assert two.counts_where(column, column) == [3]
    assert two.counts_where(other, column) == [], "nobody has one of those"
    one.stamp(column, 1.5)
    assert two.stamps(column) == [(1.5, one.row)]
    assert one.stamps(column) == []
    assert one.pid(two.row) == os.getpid()
    assert one.others == (two.row,)
    two.close()
    assert one.others == ()
    assert one.count_elsewhere(column) == 0
    one.close()
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "made" / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_what_a_killed_instance_had_is_free(tmp_path: Path) -> None:
    ours = HostTable(tmp_path)
    killed = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    with killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"ready\n"
        column = ours.column("node n")
        assert column is not None
        assert ours.count_elsewhere(column) == 7
        assert not ours.bury()
        killed.kill()
        killed.wait()
    assert ours.bury()
    assert ours.count_elsewhere(column) == 0
    assert ours.stamps(column) == []
    assert not ours.bury()
    ours.close()


def test_the_first_begins_anew(tmp_path: Path) -> None:
    first = HostTable(tmp_path)
    column = first.column("node n")
    assert column == 0
    first.publish(column, 3)
    # As if killed: nothing is cleared.
    os.close(first._locks)
    second = HostTable(tmp_path)
    assert second.others == ()
    assert second.column("node m") == 0
    second.close()


def test_no_more_rows_than_there_are(tmp_path: Path) -> None:
    all_of_them = [HostTable(tmp_path) for _ in range(MAX_ROWS)]
    with pytest.raises(TableError, match="64 instances share it already"):
        HostTable(tmp_path)
    for one in all_of_them:
        one.close()


def test_no_more_columns_than_there_are(tmp_path: Path) -> None:
    ours = HostTable(tmp_path, max_columns=1)
    assert ours.column("one") == 0
    assert ours.column("two") is None
    ours.close()


def test_who_holds_the_header_keeps_nobody_waiting(tmp_path: Path) -> None:
    ours = HostTable(tmp_path)
    holder = os.open(tmp_path / FILE_NAME, os.O_RDWR)
    assert try_lock(holder, 0)
    assert ours.column("one") is None
    with pytest.raises(TableError, match="another instance has locked"):
        HostTable(tmp_path)
    os.close(holder)
    assert ours.column("one") == 0
    ours.close()


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TableError, match="file"):
        HostTable(tmp_path / "file")
