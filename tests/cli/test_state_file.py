from __future__ import annotations

from pathlib import Path

import click
import pytest

from casedesk_proxy.cli.options import DEFAULT_FILE
from casedesk_proxy.cli.state_file import find_state_file, locate_state_file
from casedesk_proxy.store.file import FILE_NAME


@pytest.fixture(autouse=True)
def _nothing_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_a_file_or_a_directory_that_is_named(tmp_path: Path) -> None:
    assert find_state_file(Path("c.yaml"), tmp_path) == tmp_path / FILE_NAME
    assert find_state_file(Path("c.yaml"), tmp_path / "x.db") == tmp_path / "x.db"


def test_as_the_configuration_says(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        "server: {state_directory: /srv/state}\nnodes: {a: {url: http://a}}\n"
        "deployments: {d: {nodes: [a], auth: none}}\n"
    )
    assert find_state_file(config, None, tmp_path / "none") == Path("/srv/state") / FILE_NAME
    config.write_text("nodes: 3")
    with pytest.raises(click.exceptions.Exit):
        find_state_file(config, None, tmp_path / "none")


def test_where_nothing_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Path("/home/me/.local/state/casedesk-proxy") / FILE_NAME
    assert find_state_file(Path(DEFAULT_FILE), None, tmp_path / "none") == mine
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / FILE_NAME).touch()
    assert (
        find_state_file(Path(DEFAULT_FILE), None, tmp_path / "none")
        == tmp_path / "none" / FILE_NAME
    )
    monkeypatch.delenv("HOME")
    with pytest.raises(click.exceptions.Exit):
        find_state_file(Path(DEFAULT_FILE), None, tmp_path / "nowhere")


def test_of_a_configuration_that_has_been_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert locate_state_file("/srv/state", tmp_path) == Path("/srv/state") / FILE_NAME
    (tmp_path / FILE_NAME).touch()
    assert locate_state_file(None, tmp_path) == tmp_path / FILE_NAME
    monkeypatch.delenv("HOME")
    assert locate_state_file(None, tmp_path / "nowhere") is None
