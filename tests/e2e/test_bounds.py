"""A limit that is reached is reported to clients in the words of their surface."""

from __future__ import annotations

import asyncio
import json
import resource
from pathlib import Path

import pytest

from tests.e2e.relaying import STREAMS, UNARY, asking, relay
from tests.fixtures.proxy import proxy_process
from tests.fixtures.raw_client import RawClient, ask, connect, request

#: A status each; Anthropic's clients wait for 529.
FULL = {"gemini": 503, "anthropic": 529, "openai": 503}


@pytest.mark.parametrize("kinds", [STREAMS, UNARY])
@pytest.mark.parametrize("surface", FULL)
async def test_no_room_for_a_body(
    surface: str, kinds: dict[str, tuple[str, dict[str, str]]]
) -> None:
    server = {"max_bodies": "1KiB", "max_body": "1KiB"}
    async with (
        relay(server=server) as (gateway, node),
        connect(gateway.url) as first,
        connect(gateway.url) as second,
    ):
        path, body = kinds[surface]
        first.write(asking((path, {**body, "user": "x" * 900})))
        connection = await node.connection()
        await connection.request()
        reply = await second.ask(asking((path, {**body, "user": "x" * 500})))
        assert reply.status == FULL[surface]
        assert int(reply.value("retry-after") or b"") >= 1
        assert "max_bodies" in json.loads(reply.body)["error"]["message"]
        kind = b"text/event-stream" if kinds is STREAMS else b"application/json"
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: " + kind
        await connection.send(head + b"\r\n\r\n{}")
        await first.reply()
        second.write(asking((path, {**body, "user": "x" * 900})))
        await connection.request()


async def test_descriptors_that_are_used_up(tmp_path: Path) -> None:
    """The log reports it once, the metric counts it, and the proxy continues once descriptors are
    free again."""
    config = {
        "server": {"admin": "127.0.0.1:0"},
        "nodes": {"n": {"url": "http://127.0.0.1:9", "models": ["m"], "engine": "openai"}},
        "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
    }
    models = request("/proxy/d/openai/v1/models")
    loop = asyncio.get_running_loop()
    with proxy_process(tmp_path, config) as proxy:
        host, _, port = proxy.url.removeprefix("http://").rpartition(":")
        async with connect(proxy.admin_url) as admin:
            assert (await admin.ask(request("/healthz"))).status == 200
            resource.prlimit(proxy.process.pid, resource.RLIMIT_NOFILE, (64, 64))
            clients = []
            for _ in range(80):
                _, client = await loop.create_connection(RawClient, host, int(port))
                clients.append(client)
            await asyncio.to_thread(proxy.find, "all 64 file descriptors are in use")
            shown = (await admin.ask(request("/metrics"))).body.decode()
            for client in clients:
                await client.end()
            await asyncio.to_thread(proxy.find, "file descriptors are available again")
        assert (await ask(proxy.url, models)).status == 200
        assert proxy.log.count("file descriptors are in use") == 1
    counted = [line for line in shown.splitlines() if line.startswith("casedesk_descriptors_ex")]
    assert float(counted[0].split()[1]) >= 1
