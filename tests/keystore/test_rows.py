"""Keys are read from the state file as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from casedesk_proxy.keystore.changes import Author, revoke
from casedesk_proxy.keystore.rows import (
    StoredKey,
    describe_key,
    make_key,
    read_audit,
    read_keys,
    read_version,
)
from casedesk_proxy.store.file import FILE_NAME
from tests.fixtures.table import table
from tests.keystore.keys import NOON, changing, digest, enter, made


def test_a_file_without_keys(tmp_path: Path) -> None:
    with changing(tmp_path / FILE_NAME) as connection:
        assert (read_version(connection), read_keys(connection)) == (0, [])
        assert read_audit(connection, 9) == []


def test_for_programs_a_key_has_no_hash() -> None:
    shown = describe_key(made("alice", limits='{"parallel": 2}'))
    assert (shown["name"], shown["limits"]) == ("alice", {"parallel": 2})
    assert "sha256" not in shown


def test_a_row_holds_all_of_a_key() -> None:
    row = ("a", "00", '["d", "e"]', "a note", 1, "{}", 1.0, 2.0, 3.0, None, 0)
    key = StoredKey("a", "00", ("d", "e"), "a note", True, "{}", 1.0, 2.0, 3.0, None, False)
    assert make_key(row) == key


@pytest.mark.parametrize("text", ["'; DROP TABLE keys; --", "ä\u202e\n", "x" * 5000, "\\0%_"])
def test_hostile_texts_are_texts(tmp_path: Path, text: str) -> None:
    path = tmp_path / FILE_NAME
    key = made(text, deployments=(text, ""), note=text, created=NOON)
    enter(path, key)
    with changing(path) as connection:
        assert read_keys(connection) == [key]
        revoke(connection, text, Author(text, NOON))
        assert read_audit(connection, 1)[0].name == text


def test_of_revoked_keys_the_latest_are_read(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    enter(path, *map(made, "abcd"))
    with changing(path) as connection:
        for number, name in enumerate("abc"):
            revoke(connection, name, Author("x", NOON + number))
        assert [one.name for one in read_keys(connection, most_ended=2)] == ["d", "c", "b"]


@table(
    ("ends", "opens"),
    [
        ({}, True), ({"ended": 1.0}, False), ({"expires": NOON}, False),
        ({"expires": NOON + 0.1}, True),
    ],
)  # fmt: skip
def test_until_when_a_key_opens(ends: dict[str, float], opens: bool) -> None:
    assert made("a", **ends).opens(NOON) is opens
    assert digest("a") == made("a").sha256
