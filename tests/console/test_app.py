"""The console's application on its two listeners."""

from __future__ import annotations

from typing import Any
from unittest.mock import AsyncMock, Mock

from aiohttp import web

from casedesk_proxy.console.app import add_console, console_app
from tests.console.applications import AiohttpClient


async def test_the_public_listener_s_has_an_index(aiohttp_client: AiohttpClient) -> None:
    desk: Any = Mock(close=AsyncMock())
    client = await aiohttp_client(console_app(desk))
    assert (await (await client.get("/")).json())["console"] == "/console/"
    assert (await client.get("/console/")).status == 200
    assert (await client.get("/swagger-ui")).status == 200


async def test_another_application_takes_its_routes(aiohttp_client: AiohttpClient) -> None:
    app, desk = web.Application(), Mock(close=AsyncMock())
    add_console(app, desk)
    client = await aiohttp_client(app)
    assert (await client.get("/console/")).headers["X-Frame-Options"] == "DENY"
    assert (await client.get("/")).status == 404
    await client.close()
    desk.close.assert_awaited_once_with(app)
