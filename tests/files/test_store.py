"""The store as the loop uses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from casedesk_proxy.errors import Busy, NotFound
from casedesk_proxy.files.contents import Contents
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.store.file import FILE_NAME
from casedesk_proxy.store.writer import StoreWriter
from tests.files.stores import NOW, insert


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StoreWriter]:
    writer = StoreWriter(tmp_path / FILE_NAME, gather_s=0.001)
    writer.start()
    writer.perform(lambda connection: insert(connection, id="a1")).result()
    yield writer
    writer.close(5)


@pytest.fixture
def store(state: StoreWriter, tmp_path: Path) -> Iterator[FileStore]:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a1").write_bytes(b"abc")
    made = FileStore(state, tmp_path / "files", now=lambda: NOW)
    yield made
    made.close()


async def test_a_file_is_found_and_read(store: FileStore) -> None:
    file = await store.find("alice", "a1")
    assert file is not None
    content = await store.open(file)
    assert [await content.read(2), await content.read(2), await content.read(2)] == [
        b"ab",
        b"c",
        b"",
    ]
    content.close()
    assert await store.find("bob", "a1") is None


async def test_a_content_that_is_gone(store: FileStore) -> None:
    file = await store.find("alice", "a1")
    assert file is not None
    await store.run(lambda: Contents(store.directory).remove("a1"))
    with pytest.raises(NotFound):
        await store.open(file)


async def test_a_state_file_that_cannot_be_read(store: FileStore, tmp_path: Path) -> None:
    await store.run(lambda: broke(tmp_path / FILE_NAME))
    with pytest.raises(Busy, match="log says why"):
        await store.find("alice", "a1")


def broke(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"no database")


async def test_a_content_is_closed_after_the_store(store: FileStore) -> None:
    file = await store.find("alice", "a1")
    assert file is not None
    content = await store.open(file)
    store.close()
    content.close()
