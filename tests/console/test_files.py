"""The package's files as pages: only these, with their types, and sent again only after a
change."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from casedesk_proxy.console.files import file_routes
from tests.console.applications import AiohttpClient, Client


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, tmp_path: Path) -> Client:
    pages = tmp_path / "pages"
    (pages / "parts").mkdir(parents=True)
    (tmp_path / "secret").write_text("s")
    (pages / "index.html").write_text("<p>ä")
    (pages / "parts" / "a.js").write_text("1")
    (pages / "x.bin-ary").write_bytes(b"\0")
    app = web.Application()
    app.add_routes(file_routes(pages))
    return await aiohttp_client(app)


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/console/", "text/html; charset=utf-8"),
     ("/console/parts/a.js", "text/javascript; charset=utf-8"),
     ("/console/x.bin-ary", "application/octet-stream")],
)  # fmt: skip
async def test_a_file_with_its_type(client: Client, path: str, kind: str) -> None:
    reply = await client.get(path)
    assert (reply.status, reply.headers["Content-Type"]) == (200, kind)
    again = await client.get(path, headers={"If-None-Match": reply.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")


@pytest.mark.parametrize(
    "path",
    ["/console/none.js", "/console/../secret", "/console/%2e%2e/secret", "/console/..%2fsecret",
     "/console/parts", "/console//etc/passwd", "/console/parts/../../secret", "/console/a%00"],
)  # fmt: skip
async def test_nothing_else(client: Client, path: str) -> None:
    reply = await client.get(URL(path, encoded=True))
    assert reply.status == 404
    assert await reply.text() != "s"


async def test_without_the_slash_it_leads_there(client: Client) -> None:
    reply = await client.get("/console", allow_redirects=False)
    assert (reply.status, reply.headers["Location"]) == (308, "/console/")
