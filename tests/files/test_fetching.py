"""Contents fetched from the web: from a server in the test, to which only tests may connect."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from casedesk_proxy.config.fetching import FetchUrls
from casedesk_proxy.files.fetching import Fetched, FetchFault, fetch
from casedesk_proxy.wire.web_addresses import WebAddress
from tests.fixtures.patience import PATIENCE_S

SETTINGS = FetchUrls(allow=("img.test",), timeout=PATIENCE_S)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Names(AbstractResolver):
    """A resolver that resolves every name to ``hosts``."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        return [
            ResolveResult(
                hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for one in self.hosts
        ]

    async def close(self) -> None: ...


@pytest.fixture
async def port() -> AsyncIterator[int]:
    released = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        match request.path:
            case "/a.png":
                assert "Cookie" not in request.headers
                return web.Response(body=b"image", content_type="image/png")
            case "/moved":
                raise web.HTTPFound("/a.png")
            case "/gone":
                raise web.HTTPNotFound
            case "/page":
                return web.Response(text="<p>", content_type="text/html")
            case "/packed":
                reply = web.Response(body=b"image", content_type="image/png")
                reply.headers["Content-Encoding"] = "gzip"
                return reply
            case "/large":
                return web.Response(body=b"x" * 200, content_type="image/png")
            case "/endless":
                stream = web.StreamResponse(headers={"Content-Type": "image/png"})
                await stream.prepare(request)
                while not released.is_set():
                    await stream.write(b"x" * 10_000)
                return stream
            case _:
                await released.wait()
                return web.Response()

    server = web.Server(answer)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    released.set()
    await runner.cleanup()


async def get(
    port: int, path: str, *hosts: str, most: int = 100, settings: FetchUrls = SETTINGS
) -> Fetched:
    where = WebAddress(f"http://img.test:{port}{path}", "img.test")
    names = Names(*(hosts or ("127.0.0.1",)))
    taken: list[int] = []
    found = await fetch(
        where, settings, most, taken.append,
        may_connect=lambda one: one == "127.0.0.1", resolver=names,
    )  # fmt: skip
    assert names.asked == 1
    assert sum(taken) == len(found.content)
    return found


async def test_an_image_is_fetched(port: int) -> None:
    assert await get(port, "/a.png") == Fetched("image/png", b"image")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/moved", "redirects"), ("/gone", "status 404"), ("/page", "type"),
        ("/packed", "compresses"), ("/large", "larger"), ("/endless", "larger"),
    ],
)  # fmt: skip
async def test_what_is_not_taken(port: int, path: str, words: str) -> None:
    with pytest.raises(FetchFault, match=words):
        await get(port, path)


async def test_a_host_that_says_nothing(port: int) -> None:
    with pytest.raises(FetchFault, match="in time"):
        await get(port, "/silent", settings=FetchUrls(allow=("img.test",), timeout=0.5))


async def test_a_name_that_leads_inside_leads_nowhere(port: int) -> None:
    for hosts in (("10.0.0.1",), ("127.0.0.1", "10.0.0.1")):
        with pytest.raises(FetchFault, match="not public"):
            await get(port, "/a.png", *hosts)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "127.1", "0x7f000001", "2130706433"])
async def test_an_address_inside_is_not_asked(port: int, host: str) -> None:
    where = WebAddress(f"http://{host}:{port}/a.png", host.strip("[]"))
    with pytest.raises(FetchFault, match="not public"):
        await fetch(where, SETTINGS, 100, [].append)


async def test_a_host_that_cannot_be_reached(port: int) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(FetchFault, match="cannot be reached"):
            await get(unused.getsockname()[1], "/a.png")
