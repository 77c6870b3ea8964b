from __future__ import annotations

from pathlib import Path

import pytest

from casedesk_proxy.cli.files import write_new


def test_a_new_file(tmp_path: Path) -> None:
    write_new(tmp_path / "a", "é\n", replace=False)
    assert (tmp_path / "a").read_bytes() == "é\n".encode()


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "a", "new", replace=False)
    assert (tmp_path / "a").read_text() == "old"


def test_replacing_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    write_new(tmp_path / "a", "new", replace=True)
    assert (tmp_path / "a").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_replacement_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_new(tmp_path / "a", "new", replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
