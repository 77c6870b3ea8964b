"""Contents on disk: read in pieces, removed completely, never outside of their directory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
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


@pytest.mark.parametrize("most", [1, 3, 4, 100])
def test_a_disk_takes_as_much_of_a_write_as_it_likes(
    contents: Contents, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    real = os.pwritev

    def pwritev(descriptor: int, pieces: Sequence[bytes | memoryview], at: int) -> int:
        assert len(pieces) <= 1024, "Linux takes no more"
        return real(descriptor, [b"".join(pieces)[:most]], at)

    monkeypatch.setattr(os, "pwritev", pwritev)
    writer = contents.write("c1")
    pieces = [b"abcd", b"", b"ef", *[b"x"] * 1100]
    writer.write(pieces)
    assert writer.keep() == sha256(b"".join(pieces)).hexdigest()
    writer.close()
    assert contents.open("c1").read(2000, 0) == b"".join(pieces)
