"""Contents that are sent to clients: as fast as these read, and complete or visibly incomplete."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.server.downloads import Download
from tests.fixtures.raw_client import RawClient, open_client, request
from tests.server.test_files import OAI, Client, form, serving

SIZE = 24 * 2**20


async def test_a_client_that_reads_slowly_gets_all(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        taker = await begin(client)
        await taker.sip()
        head = await taker.head()
        assert head.value("content-length") == b"%d" % SIZE
        while len(taker.received) < head.end + SIZE:
            await taker.sip()
        assert len((await taker.reply()).body) == SIZE
        await taker.end()


async def test_a_client_that_takes_nothing_is_let_go_of(tmp_path: Path) -> None:
    async with serving(tmp_path, server={"send_timeout": "0.2s"}) as client:
        taker = await begin(client)
        # More than the buffers of both sides hold was not sent when it had to end.
        await client.wait_for_end(Terminal.CLIENT_STALLED)
        await taker.end()


async def begin(client: Client) -> RawClient:
    """Request a large file, and read nothing of it yet."""
    sent = form(bytes(SIZE), purpose="user_data")
    ident = json.loads((await client.ask("POST", f"{OAI}/files", sent)).body)["id"]
    taker = await open_client(client.url)
    taker.stop_reading()
    taker.write(request(f"{OAI}/files/{ident}/content", None, "Authorization: Bearer cdp-alice"))
    return taker


async def test_what_ends_a_flow_ends_it() -> None:
    flow = Download(asyncio.get_running_loop(), None, None, b"", 1.0)  # type: ignore[arg-type]
    flow.conclude()
    flow.keep_alive()
    flow.cut(Terminal.SHUT_DOWN, ProxyError("x"))
    flow.fail()
    assert flow.terminal is Terminal.SHUT_DOWN
