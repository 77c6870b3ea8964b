"""The status while it changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp

from tests.console.rooms import API, room
from tests.console.test_status import stream


async def next_event(reply: aiohttp.ClientResponse, wanted: str) -> Any:
    """The data of the next event with that name."""
    while True:
        block = (await reply.content.readuntil(b"\n\n")).decode()
        name, _, data = block.partition("\ndata: ")
        if name == f"event: {wanted}":
            return json.loads(data)


async def test_a_stream_s_row_comes_and_goes(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        alice = one.browser()
        await alice.sign_in(key="t0ken")
        async with alice.session.get(f"{API}/events") as events:
            assert events.content_type == "text/event-stream"
            assert (await next_event(events, "streams"))["total"] == 0
            assert (await next_event(events, "failures")) == []
            reply = await stream(one)
            found = await next_event(events, "streams")
            assert [row["key"] for row in found["rows"]] == ["alice"]
            reply.close()
            while (await next_event(events, "streams"))["total"]:
                pass


async def test_it_ends_with_the_session(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        alice = one.browser()
        await alice.sign_in(key="t0ken")
        async with alice.session.get(f"{API}/events") as events:
            assert (await next_event(events, "config"))["refusal"] is None
            assert (await alice.ask("DELETE", f"{API}/session"))[0] == 204
            assert await next_event(events, "session") == {"signed_in": False}
            assert await events.content.read() == b""


async def test_nobody_looks_without_signing_in(tmp_path: Path) -> None:
    async with room(tmp_path) as one:
        assert (await one.browser().ask("GET", f"{API}/events"))[0] == 401
