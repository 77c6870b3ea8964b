"""What a health checker, or a user with a browser, gets at a base URL."""

from __future__ import annotations

import pytest

from tests.fixtures.proxy import key_entry, proxy_here
from tests.fixtures.raw_client import connect, request

CONFIG = {
    "nodes": {"n": {"url": "http://127.0.0.1:9", "engine": "openai", "models": ["m"]}},
    "deployments": {"desk": {"nodes": ["n"]}},
    "keys": [key_entry("t0ken", "desk")],
}


async def ask(url: str, method: str, path: str) -> tuple[bytes, bytes]:
    """The head and the body."""
    async with connect(url) as client:
        client.write(request(path, None, "Connection: close", method=method))
        head, _, body = (await client.rest()).partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1beta", "/proxy/desk/gemini", "/proxy/desk/openai/v1"]
)
async def test_a_line_that_says_what_there_is(path: str) -> None:
    async with proxy_here(CONFIG) as proxy:
        head, body = await ask(proxy.url, "GET", path)
        empty, nothing = await ask(proxy.url, "HEAD", path)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"text/plain" in head
    assert body.startswith(b"CaseDesk Proxy; base URLs: /")
    assert body.count(b"\n") == 1
    assert nothing == b""
    assert empty.startswith(b"HTTP/1.1 200 ")
    assert b"content-length: %d" % len(body) in empty.lower()


async def test_it_tells_nothing_that_needs_a_key() -> None:
    async with proxy_here(CONFIG) as proxy:
        _, known = await ask(proxy.url, "GET", "/proxy/desk/gemini")
        _, unknown = await ask(proxy.url, "GET", "/proxy/none/gemini")
        refused, _ = await ask(proxy.url, "GET", "/proxy/desk/gemini/v1beta/models")
    assert known.replace(b"/desk/", b"/none/") == unknown
    assert refused.startswith(b"HTTP/1.1 401 ")
