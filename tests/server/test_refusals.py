"""Clients without a valid key are refused cheaply and with few log lines, at no cost for others."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

import pytest

from casedesk_proxy.server.waits import Waits
from casedesk_proxy.telemetry.log_output import flushed
from tests.fixtures.messages import Message
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.proxy import key_entry, proxy_here
from tests.fixtures.raw_client import RawClient, ask, connect, request

KEY = "Authorization: Bearer right"
PATHS = {
    "no key": request("/v1/chat/completions", {"model": "m"}),
    "a wrong one": request("/v1/messages", {"model": "m"}, "x-api-key: no", "anthropic-version: x"),
    "no such path": request("/nowhere"),
    "a wrong method": request("/v1/chat/completions", None),
}


def config(**server: object) -> dict[str, object]:
    return {
        "server": {"refusals_per_minute": 30, **server},
        "default_deployment": "d",
        "nodes": {"n": {"url": "http://127.0.0.1:9", "models": ["m"], "engine": "openai"}},
        "deployments": {
            "d": {"nodes": ["n"]},
            "open": {"nodes": ["n"], "auth": "none"},
        },
        "keys": [key_entry("right", "d")],
    }


async def until_too_many(send: Callable[[], Awaitable[Message]]) -> Message:
    """After `fill` the next request is one too many. Where those took long it is a later one: one
    more is refused like them each two seconds."""
    for _ in range(29):
        if (reply := await send()).status == 429:
            return reply
        assert reply.status in (401, 404, 405)
    raise AssertionError("the limit is twice as high")


async def fill(client: RawClient, wire: bytes, count: int = 30) -> None:
    client.write(wire * count)
    for _ in range(count):
        assert (await client.reply()).status in (401, 404, 405)


@pytest.mark.parametrize("how", PATHS)
async def test_too_many_are_told_to_wait(how: str) -> None:
    async with proxy_here(config()) as proxy, connect(proxy.url) as client:
        await fill(client, PATHS[how])
        reply = await until_too_many(lambda: client.ask(PATHS[how] * 3))
        assert int(reply.value("retry-after") or b"") >= 1
        assert reply.value("connection") == b"close"
        told = json.loads(reply.body)["error"]
        assert "refusals_per_minute" in told["message"]
        await asyncio.wait_for(client.until_gone(), 10)
        with pytest.raises(ConnectionError):
            await client.reply()


async def test_those_with_a_key_pay_for_nobody() -> None:
    async with proxy_here(config()) as proxy:
        async with connect(proxy.url) as client:
            await fill(client, PATHS["no such path"])
        listing = await ask(proxy.url, request("/v1/models", None, KEY))
        assert listing.status == 200
        wrong_path = await ask(proxy.url, request("/nowhere", None, KEY))
        assert wrong_path.status == 404
        open_to_all = await ask(proxy.url, request("/proxy/open/openai/v1/models"))
        assert open_to_all.status == 200
        await until_too_many(lambda: ask(proxy.url, PATHS["no key"]))


async def test_a_listed_proxy_does_not_pay_for_its_clients() -> None:
    async with proxy_here(config(trusted_proxies=["127.0.0.1"])) as proxy:
        one, other = ("X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2")
        async with connect(proxy.url) as client:
            await fill(client, request("/nowhere", None, one))
        await until_too_many(lambda: ask(proxy.url, request("/nowhere", None, one)))
        assert (await ask(proxy.url, request("/nowhere", None, other))).status == 404
        for host, status in ((1, 404), (2, 404)):
            told = f"X-Forwarded-For: 2001:db8::{host}"
            assert (await ask(proxy.url, request("/nowhere", None, told))).status == status


async def test_a_limit_of_0_is_none() -> None:
    async with proxy_here(config(refusals_per_minute=0)) as proxy, connect(proxy.url) as client:
        await fill(client, PATHS["no key"], 500)


async def test_the_log_sums_up_and_the_metrics_count_each(
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.WARNING)
    async with proxy_here(config(), waits=Waits(refusal_summary_s=0.05)) as proxy:
        async with connect(proxy.url) as client:
            await fill(client, PATHS["no key"])
        for _ in range(5):
            await ask(proxy.url, PATHS["no key"])
        await ask(proxy.url, b"NONSENSE\r\n\r\n")
        summed: list[str] = []
        while sum(int(line.split()[2]) for line in summed) < 16:
            await asyncio.sleep(0.01)
            summed = [
                one.getMessage() for one in caplog.records if "refused another" in one.message
            ]
        counted = proxy.gateway.metrics.render().decode()
    assert all("from 127.0.0.1 without a valid key" in line for line in summed)
    await flushed(PATIENCE_S)
    lines = [line for line in capfd.readouterr().err.splitlines() if "end=refused" in line]
    assert len(lines) == 20
    total = sum(
        float(line.rpartition(" ")[2])
        for line in counted.splitlines()
        if line.startswith("casedesk_exchanges_total") and 'end="refused"' in line
    )
    assert total == 36
