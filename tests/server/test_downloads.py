"""Contents on their way to clients: as fast as they take them, and whole or visibly not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.server.downloads import Download
from tests.server.test_files import OAI, Client, form, serving

SIZE = 24 * 2**20


async def test_a_client_that_reads_slowly_gets_all(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        reader, writer = await begin(client)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: %d" % SIZE in head
        got = 0
        while got < SIZE:
            got += len(await reader.read(2**17))
        assert got == SIZE
        writer.close()
        await writer.wait_closed()


async def test_a_client_that_takes_nothing_is_let_go_of(tmp_path: Path) -> None:
    async with serving(tmp_path, server={"send_timeout": "0.2s"}) as client:
        reader, writer = await begin(client)
        # More than the buffers of both sides hold was not sent when it had to end.
        await client.wait_for_end(Terminal.CLIENT_STALLED)
        writer.transport.abort()
        del reader


async def begin(client: Client) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for a large file, and read nothing of it yet."""
    sent = form(bytes(SIZE), purpose="user_data")
    ident = json.loads((await client.ask("POST", f"{OAI}/files", sent)).body)["id"]
    host, port = client.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**16)
    writer.write(
        f"GET {OAI}/files/{ident}/content HTTP/1.1\r\nHost: x\r\n"
        "Authorization: Bearer cdp-alice\r\n\r\n".encode()
    )
    return reader, writer


async def test_what_ends_a_flow_ends_it() -> None:
    flow = Download(asyncio.get_running_loop(), None, None, b"", 1.0)  # type: ignore[arg-type]
    flow.conclude()
    flow.keep_alive()
    flow.cut(Terminal.SHUT_DOWN, ProxyError("x"))
    flow.fail()
    assert flow.terminal is Terminal.SHUT_DOWN
