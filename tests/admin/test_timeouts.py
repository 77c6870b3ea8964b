"""The admin listener limits how long it waits for a client."""

from __future__ import annotations

import asyncio

import pytest

from tests.fixtures.proxy import proxy_here
from tests.fixtures.raw_client import connect, request

CONFIG = {
    "server": {
        "admin": "127.0.0.1:0",
        "header_timeout": "200ms",
        "send_timeout": "200ms",
        "keepalive_timeout": "1s",
    },
    "nodes": {"n": {"url": "http://127.0.0.1:9", "models": ["m"], "engine": "openai"}},
    "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
}
WHOLE = request("/healthz")


@pytest.mark.parametrize("sent", [b"", b"G", WHOLE[:-2], WHOLE + b"G"])
async def test_half_a_head_times_out(sent: bytes) -> None:
    async with proxy_here(CONFIG) as proxy, connect(proxy.gateway.admin_urls[0]) as client:
        client.write(sent)
        await asyncio.wait_for(client.until_gone(), 10)


async def test_a_head_that_drips_times_out() -> None:
    async with proxy_here(CONFIG) as proxy, connect(proxy.gateway.admin_urls[0]) as client:

        async def drip() -> None:
            while not client.gone.done():
                client.write(b"a")
                await asyncio.sleep(0.05)

        client.write(b"GET / HTTP/1.1\r\nX: ")
        dripping = asyncio.ensure_future(drip())
        await asyncio.wait_for(client.until_gone(), 10)
        await asyncio.gather(dripping, return_exceptions=True)


async def test_whole_heads_are_answered_for_as_long_as_they_come() -> None:
    async with proxy_here(CONFIG) as proxy, connect(proxy.gateway.admin_urls[0]) as client:
        for pause in (0.0, 0.3, 0.3):
            await asyncio.sleep(pause)
            for split in (1, len(WHOLE) - 1):
                client.write(WHOLE[:split])
                # The listener is in this loop: by then it has read that.
                for _ in range(10):
                    await asyncio.sleep(0)
                client.write(WHOLE[split:])
                assert (await client.reply()).body == b"alive\n"


async def test_an_idle_connection_is_closed() -> None:
    async with proxy_here(CONFIG) as proxy, connect(proxy.gateway.admin_urls[0]) as client:
        assert (await client.ask(WHOLE)).status == 200
        await asyncio.wait_for(client.until_gone(), 20)


async def test_a_reply_that_nobody_reads_is_given_up() -> None:
    async with proxy_here(CONFIG) as proxy, connect(proxy.gateway.admin_urls[0]) as client:
        client.stop_reading()
        for _ in range(3000):
            if client.gone.done():
                break
            client.write(request("/metrics") * 10)
            await asyncio.sleep(0.002)
        if not client.gone.done():
            client.go_on_reading()
        await asyncio.wait_for(client.until_gone(), 10)
