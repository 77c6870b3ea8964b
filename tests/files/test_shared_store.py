"""A store of two hosts: uploads on one host's disk become files of both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from casedesk_proxy.config.files import Files
from casedesk_proxy.errors import Busy, NotFound
from casedesk_proxy.files.rows import UPLOAD_S
from casedesk_proxy.files.shared_store import SharedFileStore
from casedesk_proxy.filing.draft import FileDraft, FileFault, Why
from casedesk_proxy.filing.page import Page
from casedesk_proxy.store.file import FILE_NAME
from casedesk_proxy.store.writer import StoreWriter
from tests.files.buckets import MemoryBucket
from tests.files.stores import Clock
from tests.files.test_store import content, upload

CHOSEN = FileDraft("n.txt", "text/plain", chosen="mine", purpose="vision")


@contextmanager
def host(folder: Path, clock: Clock, bucket: MemoryBucket, **settings: Any) -> Iterator[Any]:
    state = StoreWriter(folder / FILE_NAME, gather_s=0.001)
    state.start()
    store = SharedFileStore(
        state, folder / "files", bucket, lambda: Files(**settings), now=clock, min_free_bytes=0
    )
    yield store
    store.close()
    state.close(5)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def store(tmp_path: Path, clock: Clock, bucket: MemoryBucket) -> Iterator[SharedFileStore]:
    with host(tmp_path / "a", clock, bucket, per_key=150, total=200, keep=60) as store:
        yield store


@pytest.fixture
def other(tmp_path: Path, clock: Clock, bucket: MemoryBucket) -> Iterator[SharedFileStore]:
    with host(tmp_path / "b", clock, bucket, per_key=150, total=200, keep=60) as other:
        yield other


async def test_a_file_of_one_host_is_there_on_another(
    store: SharedFileStore, other: SharedFileStore
) -> None:
    file = await upload(store, b"ab", b"cdef", draft=CHOSEN)
    for ident in (file.id, "mine"):
        assert await other.find("alice", ident) == file
        assert await other.find("bob", ident) is None
    assert await content(other, file) == b"abcdef"
    assert await store.disk.run(store.contents.list_ids) == []
    assert await other.remove(file)
    assert not await store.remove(file)
    with pytest.raises(NotFound):
        await content(store, file)
    # The name is free again, on the host that knew it, too.
    assert (await upload(store, b"x", draft=CHOSEN)).chosen == "mine"


async def test_lists(store: SharedFileStore, other: SharedFileStore, clock: Clock) -> None:
    made = []
    for draft in (FileDraft("1"), CHOSEN, FileDraft("3", keep=10)):
        clock.now += 1
        made.append(await upload(store, b"x", draft=draft))
    newest = made[::-1]
    assert await other.list_files("alice", Page(5)) == newest
    assert await other.list_files("alice", Page(1)) == newest[:2]
    assert await other.list_files("alice", Page(5, after=made[1].id)) == made[:1]
    assert await other.list_files("alice", Page(5, after=made[0].id, oldest=True)) == made[1:]
    assert await other.list_files("alice", Page(5, purpose="vision")) == [made[1]]
    assert await other.list_files("alice", Page(5, among=(made[0].id, "none"))) == made[:1]
    assert await other.list_files("bob", Page(5)) == []
    clock.now += 11
    assert await other.list_files("alice", Page(5)) == newest[1:]


async def test_what_may_be_stored_counts_for_all_hosts(
    store: SharedFileStore, other: SharedFileStore, clock: Clock
) -> None:
    await upload(store, b"x" * 100, draft=CHOSEN)
    with pytest.raises(FileFault, match=Why.KEY_FULL):
        await other.begin("alice", FileDraft(declared=51))
    with pytest.raises(FileFault, match=Why.STORE_FULL):
        await other.begin("bob", FileDraft(declared=101))
    with pytest.raises(FileFault, match=Why.NAME_TAKEN):
        await other.begin("alice", CHOSEN)
    # What has become a file counts once.
    await upload(store, b"x" * 50)
    clock.now += 61
    await other.begin("alice", FileDraft(declared=150))


async def test_an_upload_outlives_a_bucket_that_is_away(
    store: SharedFileStore, bucket: MemoryBucket, clock: Clock
) -> None:
    begun = await store.begin("alice", FileDraft("n", declared=3))
    bucket.is_away = True
    upload = await store.write(begun.ident, 3)
    await store.append(upload, [b"abc"])
    with pytest.raises(Busy) as caught:
        await store.finish(upload, FileDraft("n", declared=3))
    assert caught.value.code == "file_store_unavailable"
    await store.put_by(upload)
    found = await store.find_upload(begun.permit)
    assert found is not None
    assert (found.received, found.row.file) == (3, None)
    bucket.is_away = False
    again = await store.write(begun.ident, 3)
    file = await store.finish(again, found.row.draft)
    await store.put_by(again)
    # Whose answer was lost asks again.
    done = await store.find_upload(begun.permit)
    assert done is not None
    assert (done.received, done.row.file) == (3, file)
    await store.remove(file)
    assert await store.find_upload(begun.permit) is None
    assert await store.find_upload("none") is None


async def test_an_upload_that_was_cancelled_meanwhile(store: SharedFileStore) -> None:
    begun = await store.begin("alice", FileDraft("n"))
    upload = await store.write(begun.ident)
    assert await store.cancel(begun.ident)
    with pytest.raises(FileFault, match=Why.UPLOAD_GONE):
        await store.finish(upload, FileDraft("n"))
    await store.put_by(upload)


async def test_sweeps(store: SharedFileStore, bucket: MemoryBucket, clock: Clock) -> None:
    await upload(store, b"x")
    await store.sweep(10)
    clock.now += 61
    await store.sweep(10)
    assert len(bucket.list_keys()) == 2
    clock.now += 600
    await store.sweep(10)
    assert bucket.list_keys() == []
    clock.now += UPLOAD_S
    assert await store.sweep(10) == 1
