"""A disk that hangs: the thread that writes the state file hangs, and nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

from casedesk_proxy.store.file import FILE_NAME, open_reader, open_writer
from casedesk_proxy.store.writer import StoreWriter
from tests.fixtures.patience import PATIENCE_S
from tests.server.limited import limited

REQUESTS = 40
#: An answer of the simulated node is 8 words long, and the prompt one.
TOKENS = 9


class Disk:
    """``stalls``: set while the disk accepts nothing; ``is_waited_for``: set once a thread hangs in
    a write."""

    def __init__(self) -> None:
        self.stalls = False
        self.is_waited_for, self.goes_on = threading.Event(), threading.Event()

    def open(self, path: Path) -> sqlite3.Connection:
        disk, connection = self, open_writer(path)

        class Stalling:
            """The connection, whose transactions are written when the disk accepts them."""

            def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
                if sql == "COMMIT" and disk.stalls:
                    disk.is_waited_for.set()
                    disk.goes_on.wait(PATIENCE_S)
                return connection.execute(sql, *rest)

            def __getattr__(self, name: str) -> Any:
                return getattr(connection, name)

        return Stalling()  # type: ignore[return-value]


def count(path: Path) -> int:
    with open_reader(path) as connection:
        return int(connection.execute("SELECT count(*) FROM exchanges").fetchone()[0])


async def test_requests_are_answered_and_limited_while_the_disk_stalls(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / FILE_NAME
    store = StoreWriter(path, gather_s=0.001, open_file=disk.open)
    await asyncio.to_thread(store.start)
    try:
        limits = {"tokens_per_day": REQUESTS * TOKENS}
        async with limited(limits, store=store) as (asker, proxy):
            disk.stalls = True
            assert (await asker.chat())[0] == 200
            assert await asyncio.to_thread(disk.is_waited_for.wait, PATIENCE_S)
            # It goes on once all of these are answered: who waited for it would wait for ever.
            for _ in range(REQUESTS - 1):
                assert (await asker.chat())[0] == 200
            status, _, body = await asker.chat()
            assert (status, body["error"]["code"]) == (429, "insufficient_quota")
            assert store.waiting == REQUESTS + 1
            assert await asyncio.to_thread(count, path) == 0
            (standing, *_) = proxy.gateway.limiter.list_all(1)
            assert standing.used == REQUESTS * TOKENS
            disk.goes_on.set()
            async with asyncio.timeout(PATIENCE_S):
                while store.waiting:
                    await asyncio.sleep(0.001)
        assert await asyncio.to_thread(count, path) == REQUESTS + 1
        assert store.dropped == 0
    finally:
        disk.goes_on.set()
        await asyncio.to_thread(store.close, 10)
