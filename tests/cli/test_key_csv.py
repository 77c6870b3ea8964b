from __future__ import annotations

from pathlib import Path

import pytest

from casedesk_proxy.keystore.rows import read_keys
from casedesk_proxy.store.file import FILE_NAME, open_reader
from tests.cli.command import invoke
from tests.keystore.keys import digest, enter, made


def names(directory: Path) -> list[str]:
    with open_reader(directory / FILE_NAME) as connection:
        return [key.name for key in read_keys(connection)]


def test_from_one_host_to_another(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    enter(here / FILE_NAME, made("alice"), made("bob"))
    shown = invoke("key", "export", "--state", here / FILE_NAME)
    (tmp_path / "keys.csv").write_text(shown.stdout)
    taken = invoke("key", "import", tmp_path / "keys.csv", "--state", there / FILE_NAME)
    assert taken.stdout == "keys imported: 2\n"
    assert names(there) == ["alice", "bob"]
    again = invoke("key", "import", tmp_path / "keys.csv", "--state", there / FILE_NAME)
    assert (again.returncode, "key alice: name: a key named" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f"name,sha256\na,{digest('a')}\nb,short\n".encode(), "line 3: sha256: is not a SHA-256"),
        (f"name,sha256\na,{digest('a')}\nb,{digest('a')}\n".encode(), "key b: sha256: belongs to"),
        (b"name,sha256\n\xff", "line 2: is not UTF-8"),
        (b"x" * (16 * 2**20 + 1), "the file is larger than 16 MiB"),
    ],
    ids=["a line", "twice", "not UTF-8", "large"],
)
def test_all_or_nothing(tmp_path: Path, content: bytes, told: str) -> None:
    enter(tmp_path / FILE_NAME, made("alice"))
    (tmp_path / "keys.csv").write_bytes(content)
    shown = invoke("key", "import", tmp_path / "keys.csv", "--state", tmp_path)
    assert (shown.returncode, told in shown.stderr) == (2, True)
    assert names(tmp_path) == ["alice"]
