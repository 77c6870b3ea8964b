"""All instances get one request; one that does not answer causes only a short delay."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from casedesk_proxy.instances.siblings import Siblings, socket_of
from casedesk_proxy.instances.table import HostTable
from tests.fixtures.patience import PATIENCE_S


@asynccontextmanager
async def answering(table: HostTable, answer: bytes | None) -> AsyncIterator[None]:
    """An instance that gives this answer; None: one that never answers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\r\n\r\n") == b"GET /x HTTP/1.0\r\nHost: localhost\r\n\r\n"
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(serve, socket_of(table.directory, table.row))
    try:
        yield
    finally:
        server.close()


async def test_each_answers_by_its_name(tmp_path: Path) -> None:
    names = ("main", "main", "silent", "refusing", "broken", "gone", "talkative")
    tables = [await asyncio.to_thread(HostTable, tmp_path, name) for name in names]
    answers = (b"HTTP/1.0 200 OK\r\n\r\none", b"HTTP/1.0 200 OK\r\n\r\ntwo", None,
               b"HTTP/1.0 404 No\r\n\r\nx", b"nonsense")  # fmt: skip
    ours = Siblings(tables[0], answer_wait_s=PATIENCE_S)
    assert ours.address == f"unix:{tmp_path}/0.sock"
    async with (
        answering(tables[0], answers[0]), answering(tables[1], answers[1]),
        answering(tables[3], answers[3]), answering(tables[4], answers[4]),
        answering(tables[6], b"HTTP/1.0 200 OK\r\n\r\n" + bytes(33 << 20)),
    ):  # fmt: skip
        found = await ours.ask("/x")
        # However slow the machine is, nothing but the silent one is waited for.
        async with answering(tables[2], None):
            hurried = await Siblings(tables[0], answer_wait_s=0.05).ask("/x")
    assert hurried["silent"] is None
    assert found == {
        "main": b"one", f"main-{os.getpid()}": b"two", "silent": None, "refusing": None,
        "broken": None, "gone": None, "talkative": None,
    }  # fmt: skip
    for table in tables:
        table.close()
