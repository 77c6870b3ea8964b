"""Contents on disk: read in pieces, gone once removed, never beside their directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from casedesk_proxy.files.contents import Contents
from casedesk_proxy.filing.draft import FileFault, Why


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    (tmp_path / "a1").write_bytes(b"abcdef")
    return Contents(tmp_path)


def test_a_content_is_read_in_pieces(contents: Contents) -> None:
    reader = contents.open("a1")
    assert [reader.read(4, 0), reader.read(4, 4), reader.read(4, 6)] == [b"abcd", b"ef", b""]
    reader.close()
    reader.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        reader.read(1, 0)


def test_who_reads_what_is_removed_reads_on(contents: Contents) -> None:
    reader = contents.open("a1")
    contents.remove("a1")
    contents.remove("a1")
    assert reader.read(9, 0) == b"abcdef"
    reader.close()
    with pytest.raises(FileNotFoundError):
        contents.open("a1")


def test_no_path_is_an_id(contents: Contents) -> None:
    with pytest.raises(AssertionError):
        contents.open("../a1")


def test_what_nobody_has_any_more_is_closed_and_unlocked(contents: Contents) -> None:
    writer = contents.write("b1")
    with pytest.raises(FileFault, match=Why.UPLOAD_BUSY):
        contents.write("b1")
    del writer
    contents.write("b1").close()
