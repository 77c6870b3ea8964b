"""The admin pages about all instances of a host, and about an instance that is alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from casedesk_proxy.admin.all_instances import instance_routes
from casedesk_proxy.instances.siblings import Siblings


class Two:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, path: str) -> Mapping[str, bytes | None]:
        self.asked.append(path)
        good = b"# HELP x X\nx 1\n" if path == "/metrics" else b'{"pid": 7}'
        return {"a": good, "b": None}


async def client(siblings: Two | None) -> TestClient[web.Request, web.Application]:
    app = web.Application()
    app.add_routes(instance_routes(cast(Siblings | None, siblings)))
    return TestClient(TestServer(app))


async def test_what_each_says() -> None:
    two = Two()
    async with await client(two) as asking:
        for path in ("/status", "/console/api/status"):
            reply = await asking.get(f"/all{path}")
            assert await reply.json() == {"instances": {"a": {"pid": 7}, "b": None}}
        reply = await asking.get("/all/metrics")
        assert await reply.text() == '# HELP x X\nx{instance="a"} 1\n'
        assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert two.asked == ["/status", "/console/api/status", "/metrics"]


async def test_one_alone() -> None:
    async with await client(None) as asking:
        reply = await asking.get("/all/status")
        assert reply.status == 404
        assert "server.instances_directory is not set" in await reply.text()
