"""Requests of the console in the access log."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from casedesk_proxy.console.request_log import log_requests
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from tests.console.applications import AiohttpClient
from tests.console.rooms import API, room


class Place:
    def __init__(self) -> None:
        self.lines: list[ExchangeRecord] = []
        self.access_log: Any = self.lines.append


class Desk:
    def __init__(self) -> None:
        self.at = Place()

    def place(self) -> Place:
        return self.at

    def client_of(self, request: web.Request) -> str:
        return "192.0.2.1"


async def serve(aiohttp_client: AiohttpClient) -> tuple[Any, Place]:
    async def answer(request: web.Request) -> web.Response:
        match request.match_info["what"]:
            case "bug":
                raise RuntimeError("a bug")
            case "none":
                raise web.HTTPNotFound()
            case "gone":
                raise ConnectionResetError
        return web.Response(text="fine")

    desk: Any = Desk()
    app = web.Application(middlewares=[log_requests(desk)])
    app.router.add_get("/{what}", answer)
    app.router.add_get("/console/{what}", answer)
    return await aiohttp_client(app), desk.at


async def test_each_has_a_line(aiohttp_client: AiohttpClient) -> None:
    client, place = await serve(aiohttp_client)
    assert (await client.get("/console/fine?key=secret")).status == 200
    assert (await client.get("/console/none")).status == 404
    assert (await client.get("/console/bug")).status == 500
    await client.get("/console/gone")
    lines = [(one.target, one.status, one.terminal) for one in place.lines]
    assert lines == [
        ("/console/fine", 200, Terminal.COMPLETED), ("/console/none", 404, Terminal.COMPLETED),
        ("/console/bug", 500, Terminal.FAILED), ("/console/gone", 200, Terminal.CLIENT_GONE),
    ]  # fmt: skip
    facts = place.lines[0].facts()
    assert facts.pop("id")
    assert facts.pop("duration") >= 0
    assert facts == {
        "client": "192.0.2.1", "surface": "console", "status": 200, "end": "completed",
        "bytes_out": 4, "method": "GET", "target": "/console/fine",
    }  # fmt: skip


async def test_what_is_not_the_console_s_and_where_none_is_wanted(
    aiohttp_client: AiohttpClient,
) -> None:
    client, place = await serve(aiohttp_client)
    await client.get("/metrics")
    place.access_log = None
    await client.get("/console/fine")
    assert place.lines == []


async def test_who_is_named_and_no_secret(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    server = {"admin": "127.0.0.1:0", "access_log": True}
    async with room(tmp_path, server=server) as one:
        dora = one.browser()
        await dora.sign_in(name="dora", password="wr0ng pass")
        await dora.sign_in(name="dora", password="s3cret pass")
        async with dora.session.get(f"{API}/events") as events:
            await events.content.readuntil(b"\n\n")
        program = one.browser(one.gateway.admin_urls[0])
        await program.ask(
            "GET", f"{API}/status?find=w0rds", headers={"Authorization": "Bearer r00t"}
        )
        told = ""
        while "events" not in told or "/status" not in told:
            await asyncio.sleep(0.01)
            told += capfd.readouterr().err
    lines = [line for line in told.splitlines() if "surface=console" in line]
    assert [line.count("key=dora") for line in lines if "/session" in line] == [0, 1]
    assert all("key=dora" in line for line in lines if "/events" in line)
    assert all("key=root" in line for line in lines if "/status" in line)
    for secret in ("wr0ng", "s3cret", "r00t", "w0rds", dora.cookie):
        assert secret not in told
