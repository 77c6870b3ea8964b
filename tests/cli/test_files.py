from __future__ import annotations

import errno
from pathlib import Path
from typing import NoReturn

import pytest

from casedesk_proxy.cli.files import read_config, write_new
from casedesk_proxy.config.complaints import ConfigError


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


def test_a_file_of_somebody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*arguments: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path / "c.yaml")
    told = f"{tmp_path}/c.yaml: Permission denied; chmod a+r {tmp_path}/c.yaml;"
    assert str(caught.value.complaints[0]).startswith(told)
