"""The console's application on its two listeners."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from aiohttp import web
from multidict import CIMultiDictProxy

from casedesk_proxy.console.app import add_console, console_app
from casedesk_proxy.server.console import ServedConsole
from tests.console.applications import AiohttpClient
from tests.console.rooms import room

#: Headers that differ from reply to reply, or say how a body is sent that HEAD has not.
VARYING = {"Date", "Content-Length", "Transfer-Encoding", "Connection"}


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


def steady(headers: CIMultiDictProxy[str]) -> set[tuple[str, str]]:
    return {(name, value) for name, value in headers.items() if name not in VARYING}


@pytest.mark.parametrize("on_admin", [False, True], ids=["public", "admin"])
async def test_every_page_answers_head_as_get(tmp_path: Path, on_admin: bool) -> None:
    """With the same status and headers, without a body, and at once: also the page of events."""
    async with room(tmp_path) as one:
        console = ServedConsole(one.gateway.serving, None, None)
        make = console.make_admin if on_admin else console.make_public
        app = make(one.gateway, Mock())
        paths = {
            route.resource.canonical.replace("{", "").replace("}", "")
            for route in app.router.routes()
            if route.resource is not None and route.method == "GET"
        }
        session = one.browser(one.gateway.admin_urls[0] if on_admin else "").session
        for path in sorted(paths):
            for key in ("", "t0ken", "r00t", "wrong"):
                headers = {"Accept": "*/*", **({"Authorization": f"Bearer {key}"} if key else {})}
                async with session.get(path, headers=headers, allow_redirects=False) as got:
                    pass
                async with session.head(path, headers=headers) as head:
                    assert await head.read() == b""
                assert head.status == got.status, (path, key)
                assert steady(head.headers) == steady(got.headers), (path, key)
