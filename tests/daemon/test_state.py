"""The state file of a daemon: in its place, or a line with the reason why there is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from casedesk_proxy.config.load import load_config
from casedesk_proxy.config.schema import Config
from casedesk_proxy.daemon.state import open_store, start_forwarder
from casedesk_proxy.store.file import FILE_NAME


def config(server: str = "") -> Config:
    text = f"server: {{{server}}}\nnodes: {{n: {{url: 'http://127.0.0.1:1'}}}}\n"
    return load_config(text + "deployments: {d: {auth: none, nodes: [n]}}", "state.yaml").config


def test_it_is_made_where_the_configuration_says(tmp_path: Path) -> None:
    store = open_store(config(f"state_directory: {tmp_path}/s"), {"HOME": "/nowhere"})
    assert store is not None
    store.close(10)
    assert (tmp_path / "s" / FILE_NAME).is_file()
    assert store.path == tmp_path / "s" / FILE_NAME


def test_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    assert open_store(config(), {}) is None
    assert "none of its keys: $HOME is not set; set server.state_directory" in caplog.text


def test_a_place_where_nothing_can_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    assert open_store(config(), {"STATE_DIRECTORY": f"{tmp_path}/file"}) is None
    assert f"none of its keys: {tmp_path}/file/{FILE_NAME}: File exists" in caplog.text


def test_rows_go_to_a_database_where_there_is_one_and_a_driver(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(config(f"state_directory: {tmp_path}"), {})
    assert store is not None
    assert start_forwarder(None, store) is None
    forwarder = start_forwarder("postgresql:///x?host=/nowhere&sslmode=disable", store)
    assert forwarder is not None
    forwarder.close(10)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    assert start_forwarder("postgresql:///x", store) is None
    assert "pip install 'casedesk-proxy[postgres]'" in caplog.text
    store.close(10)
