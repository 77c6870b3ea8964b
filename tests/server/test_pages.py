"""Pages on the public listener: aiohttp handles one request at a time, on our connection."""

from __future__ import annotations

import asyncio
import json

import pytest

from casedesk_proxy.server.pages import PageTransport
from casedesk_proxy.wire.http1 import BodyFraming, RequestHead
from tests.fixtures.proxy import key_entry, proxy_here
from tests.fixtures.raw_client import RawClient, open_client
from tests.server.clients import FakeClient

CONFIG = {
    "nodes": {"n": {"url": "http://127.0.0.1:9", "engine": "openai", "models": ["m"]}},
    "deployments": {"desk": {"nodes": ["n"]}},
    "keys": [key_entry("t0ken", "desk")],
}
PAGE = "GET /console/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
MODELS = "GET /v1/models HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t0ken\r\n\r\n"


async def read_reply(client: RawClient) -> tuple[bytes, bytes]:
    """One whole reply that has a length."""
    head = (await client.take_through(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head, await client.take(length)


@pytest.mark.parametrize("in_one", [True, False], ids=["pipelined", "one by one"])
async def test_pages_and_the_api_share_a_connection(in_one: bool) -> None:
    requests = [PAGE, MODELS, PAGE, MODELS, PAGE]
    async with proxy_here(CONFIG) as proxy:
        client = await open_client(proxy.url)
        replies = []
        if in_one:
            client.write("".join(requests).encode())
        for request in requests:
            if not in_one:
                client.write(request.encode())
            replies.append(await read_reply(client))
        await client.end()
    assert all(head.startswith(b"http/1.1 200 ") for head, _ in replies)
    assert not any(b"connection: close" in head for head, _ in replies)
    pages, lists = replies[::2], replies[1::2]
    assert all(b"<title>CaseDesk Proxy" in body for _, body in pages)
    assert all(json.loads(body)["data"][0]["id"] == "m" for _, body in lists)


async def test_a_page_whose_client_wants_no_more_closes() -> None:
    async with proxy_here(CONFIG) as proxy:
        for request in (
            PAGE.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
            PAGE.replace("HTTP/1.1", "HTTP/1.0"),
        ):
            client = await open_client(proxy.url)
            client.write(request.encode())
            reply = await client.rest()
            assert reply.startswith(b"HTTP/1.")
            assert reply.endswith(b"</html>\n")
            await client.end()


async def test_a_client_that_sends_no_more_gets_its_page() -> None:
    async with proxy_here(CONFIG) as proxy:
        client = await open_client(proxy.url)
        client.write(PAGE.encode())
        client.half_close()
        assert (await client.rest()).endswith(b"</html>\n")
        await client.end()


async def test_what_aiohttp_cannot_read_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with proxy_here(CONFIG) as proxy:
        client = await open_client(proxy.url)
        client.write(PAGE.replace("\r\n\r\n", f"\r\nX: {'y' * 9000}\r\n\r\n").encode())
        assert (await client.head()).status == 400
        await client.end()
    assert "Traceback" not in caplog.text


async def test_aiohttp_is_paused_and_resumed_in_turn() -> None:
    """Its protocol fails otherwise, which closed the client's connection."""
    said: list[str] = []

    class Inner(asyncio.Protocol):
        def pause_writing(self) -> None:
            said.append("pause")

        def resume_writing(self) -> None:
            said.append("resume")

    head = RequestHead("GET", "/console/", True, (), BodyFraming.NONE, 0, True)
    page = PageTransport(FakeClient(), head)
    page.begin(Inner())
    for act in (page.resume, page.pause, page.pause, page.resume, page.resume, page.pause):
        act()
    assert said == ["pause", "resume", "pause"]
    page.end()


async def test_head_and_not_modified_leave_the_connection_open() -> None:
    async with proxy_here(CONFIG) as proxy:
        client = await open_client(proxy.url)
        client.write(PAGE.replace("GET", "HEAD").encode())
        head = (await client.take_through(b"\r\n\r\n")).lower()
        mark = head.partition(b"etag: ")[2].partition(b"\r\n")[0].decode()
        client.write(PAGE.replace("\r\n\r\n", f"\r\nIf-None-Match: {mark}\r\n\r\n").encode())
        assert (await client.take_through(b"\r\n\r\n")).startswith(b"HTTP/1.1 304 ")
        client.write(MODELS.encode())
        assert (await read_reply(client))[0].startswith(b"http/1.1 200 ")
        await client.end()


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("text/html,*/*;q=0.8", b"text/html"), ("application/json", b"application/json"),
     ("*/*", b"application/json"), ("", b"text/plain")],
)  # fmt: skip
async def test_the_root_says_what_there_is_in_the_form_that_is_asked_for(
    accept: str, kind: bytes
) -> None:
    wanted = f"Accept: {accept}\r\n" if accept else ""
    async with proxy_here(CONFIG) as proxy:
        client = await open_client(proxy.url)
        client.write(f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n{wanted}\r\n".encode())
        head, body = await read_reply(client)
        await client.end()
    assert b"content-type: " + kind in head
    assert (b"/console/" in body) is bool(accept)


async def test_too_long_a_body_is_refused_before_it_is_read() -> None:
    async with proxy_here(CONFIG) as proxy:
        client = await open_client(proxy.url)
        client.write(
            b"POST /console/api/session HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Length: 1000000\r\n\r\n"
        )
        head, body = await read_reply(client)
        await client.end()
    assert head.startswith(b"http/1.1 413 ")
    assert b"the most that this path accepts" in body
    assert b"max_body" not in body


async def test_names_beside_the_pages_are_the_api_s() -> None:
    async with proxy_here(CONFIG) as proxy:
        client = await open_client(proxy.url)
        client.write(b"GET /consoles HTTP/1.1\r\nHost: h\r\n\r\n")
        head, _ = await read_reply(client)
        await client.end()
    assert head.startswith(b"http/1.1 404 ")
    assert b"content-security-policy" not in head
