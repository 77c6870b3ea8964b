"""The page at the root."""

from __future__ import annotations

import re

from aiohttp import web

from casedesk_proxy.console.files import file_routes
from casedesk_proxy.console.index import index_routes
from tests.console.applications import AiohttpClient


async def test_it_names_what_there_is_and_nothing_else(aiohttp_client: AiohttpClient) -> None:
    app = web.Application()
    app.add_routes(index_routes(["/console/"]))
    client = await aiohttp_client(app)
    places = await (await client.get("/")).json()
    assert (places["console"], places["gemini"]) == ("/console/", "/v1beta")
    assert "reference" not in places
    page = await client.get("/", headers={"Accept": "text/html"})
    text = await page.text()
    assert page.content_type == "text/html"
    assert '<a href="/console/">' in text
    assert "/swagger-ui" not in text


async def test_the_page_asks_only_for_files_that_there_are(aiohttp_client: AiohttpClient) -> None:
    app = web.Application()
    routes = file_routes()
    app.add_routes([*index_routes([one.path for one in routes]), *routes])
    client = await aiohttp_client(app)
    text = await (await client.get("/", headers={"Accept": "text/html"})).text()
    asked = re.findall(r'(?:src|href)="(/console/[^"]*)"', text)
    assert len(asked) > 4
    assert {(await client.get(path)).status for path in asked} == {200}
