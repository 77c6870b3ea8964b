"""The store as the loop uses it: uploads become files, within the limits on storage."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from casedesk_proxy.errors import Busy, NotFound
from casedesk_proxy.files.rows import UPLOAD_S
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.filing.draft import FileDraft, FileFault, Why
from casedesk_proxy.filing.page import Page
from casedesk_proxy.filing.stored_file import StoredFile
from casedesk_proxy.store.file import FILE_NAME
from tests.files.stores import Clock, opened

DRAFT = FileDraft("n.txt", "text/plain")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[FileStore]:
    with opened(tmp_path, clock, max_file=100, per_key=150, total=200, keep=60) as store:
        yield store


@pytest.fixture
def other(store: FileStore, tmp_path: Path, clock: Clock) -> Iterator[FileStore]:
    """A store as if in another process on the same host."""
    with opened(tmp_path, clock) as other:
        yield other


async def upload(
    store: FileStore, *pieces: bytes, owner: str = "alice", draft: FileDraft = DRAFT
) -> StoredFile:
    begun = await store.begin(owner, draft)
    upload = await store.write(begun.ident, draft.declared)
    try:
        for piece in pieces:
            await store.append(upload, [piece])
        return await store.finish(upload, draft)
    finally:
        await store.put_by(upload)


async def content(store: FileStore, file: StoredFile) -> bytes:
    opened = await store.open(file)
    found = [await opened.read(2), await opened.read(100), await opened.read(100)]
    opened.close()
    return b"".join(found)


async def test_a_file_is_uploaded_found_read_and_removed(store: FileStore) -> None:
    file = await upload(store, b"ab", b"cdef")
    assert (file.size, file.sha256) == (6, sha256(b"abcdef").hexdigest())
    assert await store.find("alice", file.id) == file
    assert await store.find("bob", file.id) is None
    assert await content(store, file) == b"abcdef"
    assert await store.remove(file)
    assert not await store.remove(file)
    assert await store.find("alice", file.id) is None
    with pytest.raises(NotFound):
        await store.open(file)


async def test_a_content_is_nobody_else_s_business(store: FileStore) -> None:
    file = await upload(store, b"ab")
    directory = store.contents.directory
    modes = await store.disk.run(
        lambda: [one.stat().st_mode for one in (directory, directory / file.id)]
    )
    assert [oct(mode & 0o777) for mode in modes] == ["0o700", "0o600"]


async def test_an_upload_goes_on_in_another_process(store: FileStore, other: FileStore) -> None:
    begun = await store.begin("alice", FileDraft("n", declared=6))
    first = await store.write(begun.ident, 6)
    await store.append(first, [b"abc"])
    await store.put_by(first)
    found = await other.find_upload(begun.permit)
    assert found is not None
    assert (found.received, found.row.file) == (3, None)
    second = await other.write(begun.ident, 6)
    await other.append(second, [b"def"])
    file = await other.finish(second, found.row.draft)
    await other.put_by(second)
    assert file.sha256 == sha256(b"abcdef").hexdigest()
    done = await store.find_upload(begun.permit)
    assert done is not None
    assert done.row.file == file


async def test_one_request_at_a_time_writes_to_an_upload(store: FileStore) -> None:
    begun = await store.begin("alice", DRAFT)
    first = await store.write(begun.ident)
    with pytest.raises(FileFault, match=Why.UPLOAD_BUSY):
        await store.write(begun.ident)
    store.let_go(first)
    await store.put_by(await store.write(begun.ident))


async def test_what_may_be_stored(store: FileStore) -> None:
    with pytest.raises(FileFault, match=Why.TOO_LARGE):
        await store.begin("alice", FileDraft(declared=101))
    with pytest.raises(FileFault, match=Why.TOO_LARGE):
        await upload(store, b"x" * 101)
    with pytest.raises(FileFault, match=Why.TOO_LARGE):
        await upload(store, b"abc", draft=FileDraft(declared=2))
    await upload(store, b"x" * 90, owner="bob")
    with pytest.raises(FileFault, match=Why.KEY_FULL):
        await store.begin("bob", FileDraft(declared=61))
    await upload(store, b"x" * 60, owner="bob")
    with pytest.raises(FileFault, match=Why.KEY_FULL):
        await upload(store, b"x", owner="bob")
    with pytest.raises(FileFault, match=Why.STORE_FULL):
        await store.begin("carol", FileDraft(declared=60))


async def test_room_for_what_is_announced_is_kept(store: FileStore) -> None:
    begun = await store.begin("alice", FileDraft(declared=100))
    with pytest.raises(FileFault, match=Why.KEY_FULL):
        await store.begin("alice", FileDraft(declared=51))
    assert await store.cancel(begun.ident)
    await store.begin("alice", FileDraft(declared=51))


async def test_a_disk_that_is_nearly_full(store: FileStore) -> None:
    store._min_free_bytes = 2**60
    with pytest.raises(FileFault, match=Why.STORE_FULL):
        await store.begin("alice", DRAFT)


async def test_a_chosen_id_is_taken_once(store: FileStore, clock: Clock) -> None:
    mine = FileDraft(chosen="mine")
    racing = await store.begin("alice", mine)
    await upload(store, b"a", draft=mine)
    await upload(store, b"a", owner="bob", draft=mine)
    with pytest.raises(FileFault, match=Why.NAME_TAKEN):
        await store.begin("alice", mine)
    late = await store.write(racing.ident)
    with pytest.raises(FileFault, match=Why.NAME_TAKEN):
        await store.finish(late, mine)
    await store.put_by(late)
    clock.now += 60
    await upload(store, b"b", draft=mine)


async def test_what_was_cancelled_becomes_no_file(store: FileStore) -> None:
    begun = await store.begin("alice", DRAFT)
    running = await store.write(begun.ident)
    await store.cancel(begun.ident)
    with pytest.raises(FileFault, match=Why.UPLOAD_GONE):
        await store.finish(running, DRAFT)
    await store.put_by(running)
    with pytest.raises(FileFault, match=Why.UPLOAD_GONE):
        await store.write(begun.ident)


async def test_what_expires_is_swept(store: FileStore, clock: Clock) -> None:
    file = await upload(store, b"ab")
    short = await upload(store, b"ab", draft=FileDraft(keep=30))
    begun = await store.begin("alice", DRAFT)
    assert await store.sweep(9) == 0
    clock.now += 30
    assert await store.find("alice", short.id) is None
    assert await store.sweep(9) == 1
    clock.now += 30
    assert await store.find("alice", file.id) is None
    assert await store.sweep(9) == 1
    clock.now += UPLOAD_S
    assert await store.find_upload(begun.permit) is None
    assert await store.sweep(9) == 1
    # Its last request may still have made a file.
    assert await store.clear() in (0, 1)
    assert await store.disk.run(store.contents.list_ids) == []


async def test_contents_without_a_row_are_cleared(store: FileStore) -> None:
    file = await upload(store, b"ab")
    await store.disk.run(lambda: (store.contents.directory / "left").write_bytes(b"x"))
    assert await store.clear() == 1
    assert await store.disk.run(store.contents.list_ids) == [file.id]


async def test_files_are_listed_in_pages(store: FileStore, clock: Clock) -> None:
    made = []
    for number in range(3):
        clock.now += 1
        draft = FileDraft(f"{number}", purpose="vision" if number else "")
        made.append(await upload(store, b"x", draft=draft))
    assert await store.list_files("alice", Page(9)) == made[::-1]
    assert await store.list_files("alice", Page(1)) == made[:0:-1]
    assert await store.list_files("alice", Page(1, made[1].id)) == [made[0]]
    assert await store.list_files("alice", Page(9, made[0].id, oldest=True)) == made[1:]
    assert await store.list_files("alice", Page(9, purpose="vision")) == made[:0:-1]
    assert await store.list_files("alice", Page(9, among=(made[0].id, "none"))) == made[:1]
    assert await store.list_files("alice", Page(9, among=())) == []
    assert await store.list_files("bob", Page(9)) == []


async def test_a_state_file_that_cannot_be_read(store: FileStore, tmp_path: Path) -> None:
    def spoil() -> None:
        (tmp_path / FILE_NAME).unlink()
        (tmp_path / FILE_NAME).write_bytes(b"no database")

    await store.disk.run(spoil)
    with pytest.raises(Busy, match="look into the proxy's log"):
        await store.find("alice", "a1")


async def test_a_content_is_closed_after_the_store(store: FileStore) -> None:
    """The test passes if nothing is raised."""
    file = await upload(store, b"ab")
    content = await store.open(file)
    store.close()
    content.close()
