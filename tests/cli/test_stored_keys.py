from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from casedesk_proxy.cli.stored_keys import find_warnings, read_valid_keys
from casedesk_proxy.config.load import LoadedConfig, load_config
from casedesk_proxy.keystore.changes import Author, issue, revoke
from casedesk_proxy.keystore.rows import StoredKey
from casedesk_proxy.store.file import FILE_NAME, open_writer

TEXT = """nodes: {a: {url: http://a}, b: {url: http://b}}
deployments:
  d: {nodes: [a]}
  e: {nodes: [a]}
"""


def stored(name: str, *deployments: str, expires: float | None = None) -> StoredKey:
    return StoredKey(name, name * 64, deployments, expires=expires)


@pytest.fixture
def loaded() -> LoadedConfig:
    return load_config(TEXT, "f")


def test_a_deployment_that_a_stored_key_opens(loaded: LoadedConfig) -> None:
    told = [(one.path, one.line) for one in find_warnings(loaded, [stored("a", "d")])]
    assert told == [("nodes.b", 1), ("deployments.e", 4)]


def test_where_there_are_no_keys_nothing_is_opened(loaded: LoadedConfig) -> None:
    told = [one.path for one in find_warnings(loaded, [])]
    assert told == ["nodes.b", "deployments.d", "deployments.e"]


def test_nothing_is_said_of_keys_that_nobody_can_see(loaded: LoadedConfig) -> None:
    assert [one.path for one in find_warnings(loaded, None)] == ["nodes.b"]


def test_keys_that_ended_open_nothing(tmp_path: Path) -> None:
    state = tmp_path / FILE_NAME
    with closing(open_writer(state)) as connection:
        for key in (stored("a", "d"), stored("b", "d", expires=1.0), stored("c", "d")):
            issue(connection, key, Author("test", 0.0))
        revoke(connection, "c", Author("test", 0.0))
    found = read_valid_keys(state)
    assert found is not None
    assert [one.name for one in found] == ["a"]


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda path: None, []),
        (lambda path: path.touch(), None),
        (lambda path: path.write_bytes(b"no database" * 100), None),
        (lambda path: path.mkdir(), None),
    ],
    ids=["none", "empty", "damaged", "folder"],
)
def test_a_state_file_that_tells_nothing(
    tmp_path: Path, make: Callable[[Path], object], found: list[StoredKey] | None
) -> None:
    make(tmp_path / FILE_NAME)
    assert read_valid_keys(tmp_path / FILE_NAME) == found


def test_no_place_for_a_state_file() -> None:
    assert read_valid_keys(None) == []
