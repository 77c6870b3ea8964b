"""What browsers are forbidden to do."""

from __future__ import annotations

from aiohttp import web

from casedesk_proxy.console.hardening import harden
from tests.console.applications import AiohttpClient


async def test_everything_has_the_headers_and_what_a_page_says_itself_stays(
    aiohttp_client: AiohttpClient,
) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(headers={"Content-Security-Policy": "default-src 'self'"})

    app = web.Application()
    app.router.add_get("/own", page)
    app.on_response_prepare.append(harden)
    client = await aiohttp_client(app)
    missing, own = await client.get("/none"), await client.get("/own")
    policy = missing.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    for reply in (missing, own):
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["X-Frame-Options"] == "DENY"
        assert reply.headers["Referrer-Policy"] == "same-origin"
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Server" not in reply.headers
    assert own.headers["Content-Security-Policy"] == "default-src 'self'"
