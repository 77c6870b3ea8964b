from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from casedesk_proxy.cli.key_store import change_keys, look_at_keys
from casedesk_proxy.keystore.changes import issue
from casedesk_proxy.keystore.rows import read_audit, read_keys
from casedesk_proxy.store.file import FILE_NAME
from tests.keystore.keys import made


@pytest.mark.parametrize(
    ("given", "actor"),
    [({"SUDO_USER": "anna"}, "command line, anna"), ({"LOGNAME": "berta"}, "command line, berta")],
)
def test_who_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], actor: str
) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / FILE_NAME
    change_keys(path, lambda connection, by: issue(connection, made("alice"), by))
    assert [one.actor for one in look_at_keys(path, lambda file: read_audit(file, 9))] == [actor]


def test_whoever_has_no_name_is_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)

    def fail() -> str:
        raise KeyError

    monkeypatch.setattr("getpass.getuser", fail)
    path = tmp_path / FILE_NAME
    assert change_keys(path, lambda _, by: by.name) == f"command line, {os.getuid()}"


def test_what_fails_is_undone_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / FILE_NAME

    def twice(connection: object, by: object) -> None:
        issue(connection, made("alice"), by)  # type: ignore[arg-type]
        issue(connection, made("alice"), by)  # type: ignore[arg-type]

    with pytest.raises(click.exceptions.Exit):
        change_keys(path, twice)
    assert "a key named alice already exists; revoke or rotate it" in capsys.readouterr().err
    assert look_at_keys(path, read_keys) == []


def test_a_file_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / FILE_NAME
    path.write_text("no database at all, and longer than a page's head" * 9)
    for attempt in (lambda: change_keys(path, lambda *_: None), lambda: look_at_keys(path, print)):
        with pytest.raises(click.exceptions.Exit):
            attempt()
        said = capsys.readouterr().err
        assert "file is not a database; restore a copy of it, or move it away" in said
