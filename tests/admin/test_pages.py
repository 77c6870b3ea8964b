"""The admin pages and the gauges of a running gateway."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from prometheus_client.parser import text_string_to_metric_families

from casedesk_proxy import jsonio
from casedesk_proxy.admin.pages import summarise
from casedesk_proxy.config.load import load_config
from casedesk_proxy.openapi.documents import make_document
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.server.console import ServedConsole
from casedesk_proxy.server.listen import bind
from tests.fixtures.raw_client import ask, connect, request
from tests.fixtures.raw_node import NodeConnection
from tests.server.gateways import SSE, chat, chunk, staged
from tests.systemd.promtool import promtool

#: The requests that run: none is asked for.
NOBODY: Any = None
CONFIG = """
server: {{listen: "127.0.0.1:0", admin: "{admin}", access_log: false}}
nodes:
  n: {{url: "http://127.0.0.1:1", models: [m], max_streams: 3, probe_interval: 0}}
deployments:
  d: {{nodes: [n], auth: none}}
"""


@asynccontextmanager
async def serving(admin: str = "127.0.0.1:0") -> AsyncIterator[Gateway]:
    gateway = Gateway(load_config(CONFIG.format(admin=admin), "t").config, {})
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()


async def get(gateway: Gateway, path: str) -> tuple[int, str, str]:
    base = gateway.admin_urls[0]
    connector = aiohttp.UnixConnector(base[5:]) if base.startswith("unix:") else None
    url = "http://admin" if connector else base
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(url + path) as reply,
    ):
        return reply.status, reply.headers["Content-Type"], await reply.text()


def series(text: str) -> dict[tuple[str, frozenset[str]], float]:
    return {
        (one.name, frozenset(one.labels.values())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def check_metrics(text: str) -> subprocess.CompletedProcess[str]:
    command = [promtool(), "check", "metrics"]
    return subprocess.run(command, input=text, text=True, capture_output=True, check=False)


async def test_health_and_readiness() -> None:
    async with serving() as gateway:
        assert (await get(gateway, "/healthz"))[0] == 200
        assert (await get(gateway, "/readyz"))[0] == 200
        await gateway.drain(1)
        assert (await get(gateway, "/healthz"))[0] == 200
        assert (await get(gateway, "/readyz"))[0] == 503
        assert '"draining":true' in (await get(gateway, "/status"))[2]


async def test_status_names_nodes_and_no_address() -> None:
    async with serving() as gateway:
        gateway.config_status.reject(1.0, "file:1:2: wrong")
        text = (await get(gateway, "/status"))[2]
        assert '"n":{"healthy":true' in text
        assert '"refusal":"file:1:2: wrong"' in text
        assert "127.0.0.1:1/" not in text
        line = summarise(gateway, asyncio.get_running_loop().time())
        assert line == (
            "serving 0 streams; 1 of 1 nodes usable; CONFIGURATION REFUSED: file:1:2: wrong"
        )


async def test_a_unix_socket(tmp_path: Path) -> None:
    async with serving(f"unix:{tmp_path}/admin.sock") as gateway:
        assert (await get(gateway, "/healthz"))[2] == "alive\n"
        assert "/metrics" in (await get(gateway, "/"))[2].split()
    assert os.listdir(tmp_path) == []


async def test_sockets_from_a_manager_are_served_instead() -> None:
    config = load_config(CONFIG.format(admin="127.0.0.1:1"), "t").config
    public, admin = bind("127.0.0.1:0"), bind("127.0.0.1:0")
    places = [f"http://127.0.0.1:{sock.getsockname()[1]}" for sock in (public, admin)]
    gateway = Gateway(config, {}, public=[public], admin=[admin])
    await gateway.start()
    try:
        assert [*gateway.urls, *gateway.admin_urls] == places
        assert (await get(gateway, "/healthz"))[0] == 200
        assert gateway.still_fixed(["server.listen", "server.admin", "server.tls"]) == [
            "server.tls"
        ]
    finally:
        await gateway.stop()


async def test_a_public_unix_socket(tmp_path: Path) -> None:
    text = CONFIG.format(admin="127.0.0.1:0").replace("127.0.0.1:0", f"unix:{tmp_path}/p", 1)
    gateway = Gateway(load_config(text, "t").config, {})
    await gateway.start()
    try:
        reply = await ask(gateway.urls[0], request("/v1/models", None, "Connection: close"))
        assert 400 <= reply.status < 500
        # While it drains nothing answers there, so its successor may have the path.
        await gateway.drain(5.0)
        assert os.listdir(tmp_path) == []
    finally:
        await gateway.stop()


async def test_live_streams_show_and_promtool_is_content() -> None:
    go_on = asyncio.Event()

    async def play(connection: NodeConnection) -> None:
        await connection.request()
        await connection.send(SSE, chunk(b"data: {}\n\n"), chunk(b"data: {}\n\n"))
        await go_on.wait()
        await connection.send(b"0\r\n\r\n")

    async with staged(play, node=", max_streams: 1") as stage:
        client = await stage.connect()
        client.write(chat())
        await client.head()
        await client.take(30)
        waits = await stage.connect()
        waits.write(chat())
        while not stage.gateway.waiting["d"]:
            await asyncio.sleep(0.01)
        text = stage.gateway.metrics.render().decode()
        told = series(text)
        for name, labels, wanted in (
            ("casedesk_streams", (), 1),
            ("casedesk_connections", (), 2),
            ("casedesk_queue_depth", ("d",), 1),
            ("casedesk_node_in_flight", ("n",), 1),
            ("casedesk_node_full", ("n",), 1),
            ("casedesk_node_healthy", ("n",), 1),
            ("casedesk_node_hung", ("n",), 0),
            ("casedesk_node_limit", ("n",), 1),
            ("casedesk_draining", (), 0),
            ("casedesk_config_refused", (), 0),
        ):
            assert told[name, frozenset(labels)] == wanted, name
        assert told["casedesk_relayed_events_total", frozenset()] >= 1
        assert told["casedesk_relayed_bytes_total", frozenset()] >= 30
        go_on.set()
        done = await asyncio.to_thread(check_metrics, text)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_renewed_certificates_are_served_after_a_reload(tmp_path: Path) -> None:
    def issue() -> trustme.CA:
        ca = trustme.CA()
        made = ca.issue_cert("127.0.0.1")
        made.private_key_pem.write_to_path(tmp_path / "key")
        (tmp_path / "cert").write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
        return ca

    async def speaks(ca: trustme.CA) -> bool:
        trust = ssl.create_default_context()
        ca.configure_trust(trust)
        try:
            async with connect(f"https://127.0.0.1:{port}", trust):
                return True
        except ssl.SSLCertVerificationError:
            return False

    old = issue()
    text = CONFIG.format(admin="127.0.0.1:0").replace(
        "access_log", f"tls: {{cert: {tmp_path}/cert, key: {tmp_path}/key}}, access_log"
    )
    config = load_config(text, "t").config
    gateway = Gateway(config, {})
    await gateway.start()
    try:
        port = int(gateway.urls[0].rsplit(":", 1)[1])
        assert await speaks(old)
        new = issue()
        assert not await speaks(new)
        gateway.apply(gateway.compile(config, {}))
        assert await speaks(new)
        (tmp_path / "cert").unlink()
        with pytest.raises(OSError, match="No such file"):
            gateway.apply(gateway.compile(config, {}))
        assert await speaks(new)
    finally:
        await gateway.stop()


async def test_when_the_certificate_that_clients_are_shown_expires(tmp_path: Path) -> None:
    """Not the one in the file: the same until a reload, and also if a reload removes it."""

    def issue(until: float) -> None:
        made = trustme.CA().issue_cert("localhost", not_after=datetime.fromtimestamp(until, UTC))
        made.private_key_pem.write_to_path(tmp_path / "key")
        made.cert_chain_pems[0].write_to_path(tmp_path / "cert")

    async def told(gateway: Gateway) -> tuple[float | None, float | None, bool]:
        found = series((await get(gateway, "/metrics"))[2])
        gauge = found.get(("casedesk_certificate_expiry_timestamp_seconds", frozenset()))
        status = jsonio.loads((await get(gateway, "/status"))[2])
        line = summarise(gateway, asyncio.get_running_loop().time())
        return gauge, status["certificate"]["until"], "CERTIFICATE EXPIRED" in line

    past, later = 1700000000.0, 4000000000.0
    issue(past)
    plain = CONFIG.format(admin="127.0.0.1:0")
    text = plain.replace(
        "access_log", f"tls: {{cert: {tmp_path}/cert, key: {tmp_path}/key}}, access_log"
    )
    gateway = Gateway(load_config(text, "t").config, {})
    await gateway.start()
    try:
        assert await told(gateway) == (past, past, True)
        issue(later)
        assert await told(gateway) == (past, past, True)
        for config in (load_config(one, "t").config for one in (text, plain)):
            gateway.apply(gateway.compile(config, {}))
            assert await told(gateway) == (later, later, False)
    finally:
        await gateway.stop()


async def test_nothing_is_told_of_a_certificate_and_a_state_file_that_are_not_there() -> None:
    """A 0 would raise alerts."""
    async with serving() as gateway:
        text = (await get(gateway, "/metrics"))[2]
        for name in ("certificate_expiry_timestamp_seconds", "state_writable"):
            assert f"# TYPE casedesk_{name} gauge" in text
            assert f"\ncasedesk_{name}" not in text
        assert '"certificate":{"until":null}' in (await get(gateway, "/status"))[2]


async def test_a_reload_is_seen_by_the_next_request_and_kept_from_the_running() -> None:
    async with serving() as gateway:
        running = gateway.serving.snapshot
        text = CONFIG.format(admin="127.0.0.1:0").replace("d:", "other:")
        config = load_config(text.replace("max_streams: 3", "max_streams: 5"), "t").config
        state = gateway.nodes["n"]
        gateway.apply(gateway.compile(config, {}))
        assert gateway.serving.snapshot is not running
        assert gateway.nodes["n"] is state, "health and counts survive"
        assert state.limit == 5


async def test_what_was_cached_is_told_with_the_policy() -> None:
    async with serving() as gateway:
        for kind, count in (("prompt", 8), ("cached", 6)):
            gateway.metrics._tokens.labels("d", "n", kind).value += count
            gateway.metrics._tokens.labels("gone", "n", kind).value += count
        text = gateway.metrics.render().decode()
    wanted = 'casedesk_prompt_cached_ratio{deployment="d",node="n",policy="least-streams"} 0.75'
    assert wanted in text
    assert 'prompt_cached_ratio{deployment="gone"' not in text


async def test_every_route_is_in_its_document_and_no_other() -> None:
    """Pages for people and the documents themselves are not in the document."""
    async with serving() as gateway:
        app = ServedConsole(gateway.serving, None, None).make_admin(gateway, NOBODY)
        routes = {
            (route.method, route.resource.canonical)
            for route in app.router.routes()
            if route.resource is not None and route.method != "HEAD"
        }
    document = make_document("admin", "1")
    shown = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    for_people = ("/swagger-ui", "/api-docs", "/console")
    served = {one for one in routes if not one[1].startswith(for_people) or "/api/" in one[1]}
    assert served == shown


async def test_swagger_ui_offers_what_is_served_here() -> None:
    async with serving() as gateway:
        assert "openapi-admin.json" in (await get(gateway, "/swagger-ui/start.js"))[2]
        status, kind, _ = await get(gateway, "/swagger-ui")
        assert (status, kind) == (200, "text/html; charset=utf-8")
        assert "/swagger-ui" in (await get(gateway, "/"))[2]
