"""The resumable protocol: whatever a client does, and whatever happens to the proxy, it ends with
exactly the bytes, or with a clear error."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.raw_client import open_client
from tests.fixtures.raw_peer import PeerGone
from tests.server.test_files import Client, G, serving

CONTENT = bytes(range(256)) * 4
SIZE = len(CONTENT)

#: What a client, or fate, does next: a piece from so far behind or beyond what has come, so long,
#: of which only a part may come before the client leaves; a query; another process; an early end.
PIECES = st.tuples(
    st.just("piece"), st.sampled_from([0, 0, 0, -100, -5, 7]), st.integers(0, 700),
    st.sampled_from([None, None, 0, 60]),
)  # fmt: skip
STEPS = st.lists(
    st.one_of(PIECES, st.sampled_from([("query",), ("restart",), ("finalize",)])), max_size=7
)


class Player:
    """Plays steps of one upload at several processes of the proxy, one after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = AsyncExitStack()
        self.url = ""
        self.announces = True
        self.file: Any = None

    async def begin(self, *, announces: bool) -> None:
        self.announces = announces
        await self.restart()
        begun = await self.client.start(SIZE if announces else None)
        self.url = begun.headers["x-goog-upload-url"].removeprefix(self.client.url)

    async def restart(self) -> None:
        await self.stack.aclose()
        self.client: Client = await self.stack.enter_async_context(serving(self.folder))

    async def received(self) -> int:
        asked = await self.client.piece(self.url, "query")
        assert asked.status == 200
        if asked.upload_status == "final":
            self.file = asked.json["file"]
        return int(asked.headers["x-goog-upload-size-received"])

    async def play(self, step: tuple[Any, ...]) -> None:
        match step:
            case "piece", shift, length, None:
                await self.piece(shift, length)
            case "piece", _, length, came:
                await self.leave(length, came)
            case ("restart",):
                await self.restart()
            case ("query",):
                await self.received()
            case _:
                await self.finalize()

    async def piece(self, shift: int, length: int) -> None:
        before = await self.received()
        offset = max(before + shift, 0)
        sent = CONTENT[offset : offset + length]
        reply = await self.client.piece(self.url, "upload", sent, offset)
        if self.file is not None:
            assert (reply.status, reply.upload_status) == (200, "final")
        elif reply.status == 400:
            assert offset > before
            assert "leave a gap" in reply.json["error"]["message"]
        else:
            # Of a piece that broke off before, more may have arrived meanwhile.
            assert (reply.status, reply.upload_status) == (200, "active")
            after = int(reply.headers["x-goog-upload-size-received"])
            assert after >= max(before, offset + len(sent))

    async def leave(self, length: int, came: int) -> None:
        """Leave in the middle of a piece."""
        offset = await self.received()
        sent = CONTENT[offset : offset + length]
        sender = await open_client(self.client.url)
        head = (
            f"POST {self.url} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(sent)}\r\n"
            f"X-Goog-Upload-Command: upload\r\nX-Goog-Upload-Offset: {offset}\r\n\r\n"
        )
        with contextlib.suppress(PeerGone):
            await sender.send(head.encode() + sent[:came], b"")
        sender.close()
        await sender.until_gone()

    async def finalize(self) -> None:
        before = await self.received()
        reply = await self.client.piece(self.url, "finalize")
        if reply.status == 200:
            assert reply.upload_status == "final"
            assert before == SIZE or not self.announces
            self.file = reply.json["file"]
        else:
            assert "bytes have arrived" in reply.json["error"]["message"]

    async def end(self) -> bytes:
        """Send the missing bytes, and get the file."""
        at = await self.received()
        if self.file is None:
            done = await self.client.piece(self.url, "upload, finalize", CONTENT[at:], at)
            assert done.status == 200, done.body
            self.file = done.json["file"]
        got = await self.client.ask("GET", f"{G}/{self.file['name']}:download")
        assert str(len(got.body)) == self.file["sizeBytes"]
        return got.body


@given(steps=STEPS, announces=st.booleans())
@settings(max_examples=12)
async def test_any_sequence_ends_with_exactly_the_bytes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]], *, announces: bool
) -> None:
    player = Player(await asyncio.to_thread(tmp_path_factory.mktemp, "upload"))
    try:
        await player.begin(announces=announces)
        for step in steps:
            await player.play(step)
        got = await player.end()
        assert got == CONTENT[: len(got)]
        assert got == CONTENT or not announces
    finally:
        await player.stack.aclose()
