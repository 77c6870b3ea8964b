"""The documents and Swagger UI, as a browser gets them."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from casedesk_proxy import __version__
from casedesk_proxy.openapi.documents import make_document
from casedesk_proxy.openapi.names import NAMES
from casedesk_proxy.swagger.routes import ON_ADMIN, ON_PUBLIC, swagger_routes


@asynccontextmanager
async def browser(*offered: str) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application()
    app.add_routes(swagger_routes(offered or ON_PUBLIC))
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_every_document_is_served_and_need_not_be_fetched_twice() -> None:
    async with browser() as client:
        for name in NAMES:
            reply = await client.get(f"/api-docs/openapi-{name}.json")
            assert reply.content_type == "application/json"
            assert await reply.json() == make_document(name, __version__)
        tag = reply.headers["ETag"]
        again = await client.get("/api-docs/openapi-admin.json", headers={"If-None-Match": tag})
        assert (again.status, await again.read()) == (304, b"")
        missing = await client.get("/api-docs/openapi-grpc.json")
        assert missing.status == 404
        assert "gemini, anthropic" in await missing.text()


async def test_the_page_and_all_that_it_asks_for_come_from_here() -> None:
    async with browser() as client:
        page = await client.get("/swagger-ui")
        text = await page.text()
        assert page.content_type == "text/html"
        assert "<script>" not in text
        assert " style=" not in text
        asked = re.findall(r'(?:src|href)="(/swagger-ui[^"]+)"', text)
        assert len(asked) == 7
        for url in asked:
            reply = await client.get(url)
            assert (url, reply.status) == (url, 200)
            assert len(await reply.read()) > 100
        script = await (await client.get("/swagger-ui/start.js")).text()
        assert "https:" not in script
        for name in ON_PUBLIC:
            assert f'"/api-docs/openapi-{name}.json"' in script


async def test_an_operation_is_offered_where_it_is_served() -> None:
    async with browser(*ON_ADMIN) as client:
        script = await (await client.get("/swagger-ui/start.js")).text()
        assert "openapi-admin.json" in script
        assert "openapi-gemini.json" not in script


@pytest.mark.parametrize("path", ["/swagger-ui", "/swagger-ui/swagger-ui.css", "/swagger-ui/x"])
async def test_nothing_may_run_but_scripts_of_the_page(path: str) -> None:
    async with browser() as client:
        headers = (await client.get(path)).headers
        policy = dict(one.split(" ", 1) for one in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    ["/swagger-ui/..%2f__init__.py", "/swagger-ui/LICENSE", "/swagger-ui/oauth2-redirect.js"],
)
async def test_no_other_file_is_served(path: str) -> None:
    async with browser() as client:
        assert (await client.get(path)).status == 404


def test_the_package_is_not_imported() -> None:
    assert "flask_swagger_ui" not in sys.modules
