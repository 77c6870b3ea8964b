"""Interrupted uploads: what is kept of them, and what their clients get."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from tests.fixtures.raw_client import RawClient, open_client
from tests.server.test_files import OAI, Client, begin_piece, form, serving

FORM_HEAD = (
    "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer cdp-alice\r\nContent-Length: 900\r\n"
    "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    '--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc'
)


def contents(folder: Path) -> list[str]:
    return [path.name for path in (folder / "files").glob("*")]


async def begin_form(client: Client) -> RawClient:
    sender = await open_client(client.url)
    sender.write(FORM_HEAD.format(path=f"{OAI}/files").encode())
    return sender


async def test_of_a_form_that_breaks_off_nothing_is_left(tmp_path: Path) -> None:
    async with serving(tmp_path, per_key=1000) as client:
        sender = await begin_form(client)
        while not await asyncio.to_thread(contents, tmp_path):
            await asyncio.sleep(0.01)
        await sender.end()
        while await asyncio.to_thread(contents, tmp_path):
            await asyncio.sleep(0.01)
        # Its room is free again.
        reply = await client.ask("POST", f"{OAI}/files", form(b"x" * 600, purpose="user_data"))
        assert reply.status == 200


async def test_a_slow_form_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, server={"body_timeout": "0.1s"}) as client:
        sender = await begin_form(client)
        assert (await sender.head()).status == 408
        await sender.end()
        while await asyncio.to_thread(contents, tmp_path):
            await asyncio.sleep(0.01)


async def test_a_slow_piece_may_be_sent_again(tmp_path: Path) -> None:
    async with serving(tmp_path, server={"body_timeout": "0.1s"}) as client:
        url = (await client.start(6)).headers["x-goog-upload-url"]
        sender = await begin_piece(client, url, 0, b"ab")
        while True:
            asked = await client.piece(url, "query")
            if asked.headers["x-goog-upload-size-received"] == "2":
                break
        done = await client.piece(url, "upload, finalize", b"cdef", 2)
        assert done.json["file"]["sizeBytes"] == "6"
        await sender.end()


async def test_large_forms_are_refused_by_their_length(tmp_path: Path) -> None:
    async with serving(tmp_path, max_file=1000) as client:
        reply = await client.ask("POST", f"{OAI}/files", form(b"x" * 200_000, purpose="a"))
        assert (reply.status, reply.json["error"]["code"]) == (413, "file_too_large")


async def test_a_piece_without_a_length(tmp_path: Path) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"ab"

    async with serving(tmp_path) as client:
        url = (await client.start()).headers["x-goog-upload-url"]
        done = await client.piece(url, "upload, finalize", chunks(), 0)
        assert done.json["file"]["sizeBytes"] == "6"


async def test_a_disk_that_fails_is_not_the_client_s_fault(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        url = (await client.start(6)).headers["x-goog-upload-url"]

        def spoil() -> None:
            for path in (tmp_path / "files").glob("*"):
                path.unlink()
            (tmp_path / "files").rmdir()
            (tmp_path / "files").write_bytes(b"")

        await asyncio.to_thread(spoil)
        reply = await client.piece(url, "upload", b"abc", 0)
        assert (reply.status, reply.upload_status) == (503, None)
        assert "look into the proxy's log" in reply.json["error"]["message"]
