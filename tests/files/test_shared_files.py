"""Objects of files that hosts share: when each exists, and when it is removed."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from casedesk_proxy.files.s3_bucket import S3Fault
from casedesk_proxy.files.shared_files import SharedFiles
from casedesk_proxy.filing.draft import FileFault, Why
from casedesk_proxy.filing.stored_file import StoredFile
from tests.files.buckets import MemoryBucket
from tests.files.stores import NOW

ID, OTHER = "a" * 24, "b" * 24
CONTENT = bytes(range(256)) * 10


def file(ident: str = ID, *, owner: str = "alice", chosen: str = "", **more: object) -> StoredFile:
    made = StoredFile(
        ident, owner, "n.txt", "text/plain", len(CONTENT), sha256(CONTENT).hexdigest(), NOW,
        NOW + 60.5, chosen,
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "content").write_bytes(CONTENT)
    return tmp_path / "content"


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


def test_a_file_is_found_by_its_owner_on_every_host(bucket: MemoryBucket, path: Path) -> None:
    one, other = SharedFiles(bucket), SharedFiles(bucket)
    assert one.add(file(chosen="my-file"), path, NOW) == file(chosen="my-file")
    for ident in (ID, "my-file"):
        assert other.find("alice", ident, NOW) == file(chosen="my-file")
        assert other.find("bob", ident, NOW) is None
        assert other.find("alice", ident, NOW + 61) is None
    assert other.find("alice", "../files", NOW) is None
    assert "alice" not in "".join(bucket.list_keys())
    assert other.remove(file(chosen="my-file"))
    assert not other.remove(file(chosen="my-file"))
    assert bucket.list_keys() == []


def test_an_upload_that_is_finished_twice_is_one_file(bucket: MemoryBucket, path: Path) -> None:
    files = SharedFiles(bucket)
    files.add(file(), path, NOW)
    later = file(expires=NOW + 90)
    assert SharedFiles(bucket).add(later, path, NOW) == file()
    assert len(bucket.list_keys()) == 3
    files.sweep(NOW + 95)
    assert bucket.list_keys() == []


def test_a_name_is_one_file_s_until_that_is_over(bucket: MemoryBucket, path: Path) -> None:
    files = SharedFiles(bucket)
    files.add(file(chosen="c"), path, NOW)
    with pytest.raises(FileFault, match=Why.NAME_TAKEN):
        files.add(file(OTHER, chosen="c"), path, NOW)
    files.add(file(OTHER, chosen="c", expires=None), path, NOW + 61)
    found = files.find("alice", "c", NOW + 61)
    assert found is not None
    assert found.id == OTHER
    assert files.sweep(NOW + 61) == 1
    assert files.find("alice", "c", NOW + 61) == found


def test_what_is_stored_is_measured(bucket: MemoryBucket, path: Path) -> None:
    files, size = SharedFiles(bucket), len(CONTENT)
    files.add(file(), path, NOW)
    files.add(file(OTHER, owner="bob", expires=None), path, NOW)
    usage = files.measure(NOW)
    assert (usage.total, usage.of("alice"), usage.of("carol")) == (2 * size, size, 0)
    assert files.measure(NOW + 61).total == size
    assert files.list_ids("alice") == [ID]


def test_a_content_that_nobody_finds_is_swept_after_a_day(bucket: MemoryBucket, path: Path) -> None:
    files = SharedFiles(bucket)
    files.add(file(expires=None), path, NOW)
    (key,) = (key for key in bucket.list_keys() if key.startswith("files/"))
    bucket.remove(key)
    modified = next(bucket.walk("contents")).modified
    assert files.sweep(modified + 3600) == 0
    assert files.sweep(modified + 86401) == 1
    assert bucket.list_keys() == []


def test_objects_of_somebody_else_are_let_be(bucket: MemoryBucket) -> None:
    bucket.put("contents/readme", b"")
    bucket.put("contents/zz/x-1", b"")
    assert SharedFiles(bucket).sweep(NOW) == 0
    assert len(bucket.list_keys()) == 2


def test_what_is_known_need_not_be_asked_for_again(bucket: MemoryBucket, path: Path) -> None:
    files = SharedFiles(bucket)
    files.add(file(), path, NOW)
    assert files.load("alice", ID) == file()
    files.remove(file())
    assert files.load("alice", ID) == file()
    assert files.find("alice", ID, NOW) is None
    assert files.load("alice", ID) is None


def test_no_more_is_remembered_than_may_be(bucket: MemoryBucket, path: Path) -> None:
    files = SharedFiles(bucket, max_known_files=1)
    for ident in (ID, OTHER):
        files.add(file(ident), path, NOW)
        files.load("alice", ident)
    assert len(files._known) == 1


def test_a_content_is_read_in_pieces(bucket: MemoryBucket, path: Path) -> None:
    files = SharedFiles(bucket, piece_bytes=100)
    files.add(file(), path, NOW)
    content, found = files.open(file()), b""
    while piece := content.read(90, len(found)):
        assert len(piece) == min(90, len(CONTENT) - len(found))
        found += piece
    content.close()
    assert found == CONTENT


def test_a_content_that_has_changed_is_not_given_away_whole(
    bucket: MemoryBucket, path: Path
) -> None:
    files = SharedFiles(bucket)
    files.add(file(), path, NOW)
    (key,) = (key for key in bucket.list_keys() if key.startswith("contents/"))
    bucket.put(key, CONTENT[:-1] + b"x")
    with pytest.raises(S3Fault, match="content has changed since it was stored"):
        files.open(file()).read(len(CONTENT), 0)


def test_a_store_that_keeps_less_or_something_else(bucket: MemoryBucket, path: Path) -> None:
    files = SharedFiles(bucket)
    with pytest.raises(S3Fault, match="of 9 bytes it stored 2560"):
        files.add(file(size=9), path, NOW)
    files.add(file(), path, NOW)
    (key,) = (key for key in bucket.list_keys() if key.startswith("files/"))
    for wrong in (b"{", b"{}", b"[]"):
        bucket.put(key, wrong)
        with pytest.raises(S3Fault, match="changed by another program"):
            files.find("alice", ID, NOW)
