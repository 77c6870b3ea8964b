"""Both listeners refuse web pages: over real connections, in the surface's envelope."""

from __future__ import annotations

import json
from typing import Any

import pytest

from casedesk_proxy.config.load import load_config
from tests.fixtures import raw_client
from tests.fixtures.proxy import RunningGateway, config_text, key_entry, proxy_here

CONFIG: dict[str, Any] = {
    "server": {"admin": "127.0.0.1:0"},
    "nodes": {"n": {"url": "http://127.0.0.1:9", "engine": "openai", "models": ["m"]}},
    "deployments": {"open": {"nodes": ["n"], "auth": "none"}, "desk": {"nodes": ["n"]}},
    "keys": [key_entry("t0ken", "desk")],
    "default_deployment": "open",
}
EVIL = "Host: evil.example:8080\r\n"
CROSS = "Host: localhost\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\n"
KEY = "Authorization: Bearer t0ken\r\n"


async def ask(url: str, line: str, headers: str) -> tuple[int, bytes, bytes]:
    """The status, the head and the body."""
    asked = f"{line} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n".encode()
    reply = await raw_client.ask(url, asked)
    return reply.status, reply.head, reply.body


def with_server(**settings: Any) -> dict[str, Any]:
    return {**CONFIG, "server": {**CONFIG["server"], **settings}}


def admin_of(proxy: RunningGateway) -> str:
    return proxy.gateway.admin_urls[0]


@pytest.mark.parametrize("headers", [EVIL, CROSS, EVIL + "Origin: http://evil.example:8080\r\n"])
async def test_an_open_deployment_is_closed_to_pages(headers: str) -> None:
    async with proxy_here(CONFIG) as proxy:
        openai = await ask(proxy.url, "GET /v1/models", headers)
        gemini = await ask(proxy.url, "GET /v1beta/models", headers)
        anthropic = await ask(
            proxy.url, "GET /v1/models", headers + "anthropic-version: 2023-06-01\r\n"
        )
        again = await ask(proxy.url, "GET /v1/models", headers)
        base = await ask(proxy.url, "GET /", headers)
        well = await ask(proxy.url, "GET /v1/models", "Host: gpubox:8080\r\n")
    for status, head, _ in (openai, gemini, anthropic, again, base):
        assert status == 403
        assert b"access-control" not in head.lower()
    assert json.loads(openai[2])["error"]["type"] == "permission_error"
    assert json.loads(gemini[2])["error"]["status"] == "PERMISSION_DENIED"
    assert json.loads(anthropic[2])["error"]["type"] == "permission_error"
    assert "server.hosts" in json.loads(openai[2])["error"]["message"]
    assert well[0] == 200


async def test_a_key_shows_that_no_stranger_asks_but_never_across_sites() -> None:
    async with proxy_here(CONFIG) as proxy:
        by_name = await ask(proxy.url, "GET /proxy/desk/openai/v1/models", EVIL + KEY)
        no_key = await ask(proxy.url, "GET /proxy/desk/openai/v1/models", EVIL)
        across = await ask(proxy.url, "GET /proxy/desk/openai/v1/models", CROSS + KEY)
        on_open = await ask(proxy.url, "GET /proxy/open/openai/v1/models", EVIL + KEY)
    assert [by_name[0], no_key[0], across[0], on_open[0]] == [200, 401, 403, 200]


async def test_options_gets_405_whoever_asks() -> None:
    preflight = CROSS + "Access-Control-Request-Method: POST\r\n"
    async with proxy_here(CONFIG) as proxy:
        status, head, _ = await ask(proxy.url, "OPTIONS /v1/chat/completions", preflight)
    assert status == 405
    assert b"access-control" not in head.lower()


@pytest.mark.parametrize("path", ["/", "/status", "/metrics", "/healthz", "/nowhere"])
@pytest.mark.parametrize("headers", [EVIL, CROSS])
async def test_the_admin_listener_is_closed_to_pages(path: str, headers: str) -> None:
    async with proxy_here(CONFIG) as proxy:
        status, head, body = await ask(admin_of(proxy), f"GET {path}", headers)
        well, _, _ = await ask(admin_of(proxy), "GET /status", "Host: localhost:9180\r\n")
    assert status == 403
    assert b"server.hosts" in body
    assert b"access-control" not in head.lower()
    assert well == 200


async def test_names_can_be_added() -> None:
    async with proxy_here(with_server(hosts=["*.example", "llm.test.org"])) as proxy:
        one = await ask(proxy.url, "GET /v1/models", EVIL)
        two = await ask(proxy.url, "GET /v1/models", "Host: llm.test.org\r\n")
        other = await ask(proxy.url, "GET /v1/models", "Host: other.test.org\r\n")
        admin = await ask(admin_of(proxy), "GET /status", EVIL)
    assert [one[0], two[0], other[0], admin[0]] == [200, 200, 403, 200]


@pytest.mark.parametrize(
    "settings", [{"listen": "0.0.0.0:0", "admin": "0.0.0.0:0"}, {"trusted_proxies": ["10.0.0.1"]}]
)
async def test_where_others_reach_us_only_browsers_need_a_name(settings: dict[str, Any]) -> None:
    browser = EVIL + "Accept-Language: en\r\nUser-Agent: x\r\n"
    async with proxy_here(with_server(**settings)) as proxy:
        for url, path in ((proxy.url, "/v1/models"), (admin_of(proxy), "/metrics")):
            program = await ask(url, f"GET {path}", EVIL)
            page = await ask(url, f"GET {path}", browser)
            across = await ask(url, f"GET {path}", CROSS)
            assert [program[0], page[0], across[0]] == [200, 403, 403]


async def test_a_reload_takes_names_and_proxies() -> None:
    async with proxy_here(CONFIG) as proxy:
        before = await ask(proxy.url, "GET /v1/models", EVIL)
        text = config_text(with_server(hosts=["evil.example"], listen="127.0.0.1:0"))
        gateway = proxy.gateway
        gateway.apply(gateway.compile(load_config(text, "again.yaml").config, {}))
        after = await ask(proxy.url, "GET /v1/models", EVIL)
        admin = await ask(admin_of(proxy), "GET /status", EVIL)
        gateway.apply(gateway.compile(load_config(config_text(CONFIG), "old.yaml").config, {}))
        again = await ask(proxy.url, "GET /v1/models", EVIL)
    assert [before[0], after[0], admin[0], again[0]] == [403, 200, 200, 403]
