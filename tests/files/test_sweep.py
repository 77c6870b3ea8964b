"""Contents without a file are removed, and a store that fails stops nothing else."""

from __future__ import annotations

import asyncio

import pytest

from casedesk_proxy.errors import Busy
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.files.sweep import keep_swept


class Swept(FileStore):
    """A store that can be used only every other time."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.seen = asyncio.Event()

    async def clear(self) -> int:
        self.asked.append("clear")
        return 1

    async def sweep(self, most: int) -> int:
        self.asked.append("sweep")
        if len(self.asked) == 2:
            return most
        if len(self.asked) == 3:
            raise Busy("not now")
        if len(self.asked) >= 6:
            self.seen.set()
        return 0


async def test_it_goes_on_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    store = Swept()
    task = asyncio.ensure_future(keep_swept(store, look_s=0.001, cleared_times=2))
    await store.seen.wait()
    task.cancel()
    assert store.asked[:6] == ["clear", "sweep", "sweep", "sweep", "clear", "sweep"]
