"""The admin listener from its start to its end."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web

from casedesk_proxy.config.schema import Server
from casedesk_proxy.server.admin_side import AdminSide


async def test_it_serves_until_it_is_stopped_and_waits_for_no_open_page() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def endless(request: web.Request) -> web.Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    app = web.Application()
    app.router.add_get("/", endless)
    side = AdminSide(())
    await side.start(app, side.listeners.open("127.0.0.1:0"), Server())
    async with aiohttp.ClientSession(side.urls[0]) as session:
        asked = asyncio.ensure_future(session.get("/"))
        await begun.wait()
        await side.stop()
        await cancelled.wait()
        with pytest.raises(aiohttp.ClientError):
            await asked


async def test_one_that_never_started_stops() -> None:
    side = AdminSide(())
    await side.stop()
    assert side.urls == []
