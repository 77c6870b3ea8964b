from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from casedesk_proxy.keystore.last_use import LastUse
from casedesk_proxy.keystore.rows import read_keys
from casedesk_proxy.store.file import FILE_NAME, open_reader
from casedesk_proxy.store.writer import StoreWriter
from tests.keystore.keys import NOON, enter, made
from tests.telemetry.test_metrics import outcome


@pytest.fixture
def path(tmp_path: Path) -> Path:
    enter(tmp_path / FILE_NAME, made("alice"), made("bob"))
    return tmp_path / FILE_NAME


def used(path: Path) -> dict[str, float | None]:
    with open_reader(path) as connection:
        return {key.name: key.used for key in read_keys(connection)}


async def test_what_was_used_is_written_once_in_a_while(path: Path) -> None:
    store = StoreWriter(path, gather_s=0.001)
    await asyncio.to_thread(store.start)
    last_use = LastUse(store, now=lambda: NOON)
    task = asyncio.ensure_future(last_use.keep_written(pause_s=0.001))
    last_use.count(outcome(key="alice"))
    last_use.count(outcome(key=""))
    while (await asyncio.to_thread(used, path))["alice"] is None:
        await asyncio.sleep(0.01)
    assert await asyncio.to_thread(used, path) == {"alice": NOON, "bob": None}
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert last_use.flush() is None
    await asyncio.to_thread(store.close, 10)


async def test_a_file_at_fault_is_no_end(path: Path) -> None:
    store = StoreWriter(path)
    await asyncio.to_thread(store.start)
    await asyncio.to_thread(store.close, 10)
    last_use = LastUse(store)
    task = asyncio.ensure_future(last_use.keep_written(pause_s=0.001))
    for key in ("alice", "bob"):
        last_use.count(outcome(key=key))
        while last_use._used:
            assert not task.done()
            await asyncio.sleep(0.001)
    task.cancel()
