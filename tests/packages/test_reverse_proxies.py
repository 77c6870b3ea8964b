"""The configuration that docs/operations.md gives for nginx and Caddy, with Debian's nginx and
Caddy."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from bench.engine.process import free_port
from bench.installation import find_debian
from casedesk_proxy.simulator.script import Script
from tests.daemon.process import Process, daemon
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.simulated import SimulatorThread, simulator_thread
from tests.systemd.machine import ROOT

# The first test of each installs it.
pytestmark = pytest.mark.timeout(300)

PAGE = (ROOT / "docs/operations.md").read_text()
#: Of the client, unlike the reverse proxy's own.
ADDRESS = "127.0.0.2"
NAME = "casedesk.example.com"


def snippet(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def nginx(folder: Path, port: int, proxy: int) -> list[str]:
    shown = snippet("nginx")
    assert shown.count("127.0.0.1:8080;") == 1
    places = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"{'user root;' if os.geteuid() == 0 else ''}\n"
        f"daemon off; pid {folder}/pid; error_log {folder}/errors;\n"
        f"events {{}}\nhttp {{\n    access_log off;\n{places}"
        f"    server {{\n        listen 127.0.0.1:{port};\n"
        f"{shown.replace('127.0.0.1:8080', f'127.0.0.1:{proxy}')}    }}\n}}\n"
    )
    program = find_debian("nginx", "nginx-light")
    return [program, "-e", str(folder / "errors"), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, proxy: int) -> list[str]:
    shown = snippet("caddy")
    assert shown.count("127.0.0.1:8080\n") == 1
    assert shown.count(f"{NAME} {{") == 1
    # A certificate for the name would have to come from an authority.
    shown = shown.replace(NAME, f"http://{NAME}:{port}").replace(
        "127.0.0.1:8080", f"127.0.0.1:{proxy}"
    )
    (folder / "Caddyfile").write_text(f"{{\n    admin off\n}}\n{shown}")
    program = find_debian("caddy", "caddy")
    return [program, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@pytest.fixture(scope="module")
def node() -> Iterator[SimulatorThread]:
    with simulator_thread(m=Script()) as thread:
        yield thread


@pytest.fixture
def proxy(node: SimulatorThread, tmp_path: Path) -> Iterator[Process]:
    with daemon(tmp_path, node.url, server=", trusted_proxies: [127.0.0.1]") as process:
        yield process


@pytest.fixture(params=[nginx, caddy])
def port(request: pytest.FixtureRequest, proxy: Process, tmp_path: Path) -> Iterator[int]:
    """The port of a reverse proxy that accepts connections."""
    port = free_port()
    command = request.param(tmp_path, port, proxy.public)
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    with (tmp_path / "said").open("w+") as said:
        running = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not is_open(port):
                assert running.poll() is None, (tmp_path / "said").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield port
        finally:
            running.terminate()
            running.wait(PATIENCE_S)


def is_open(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def open_stream(connection: HTTPConnection, script: str, content: str = "Count.") -> HTTPResponse:
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": content}]}
    headers = {"Host": NAME, "x-goog-simulator": script}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    reply = connection.getresponse()
    assert reply.status == 200, reply.read()
    return reply


def test_events_come_at_once_and_a_client_that_leaves_is_noticed(port: int, proxy: Process) -> None:
    connection = HTTPConnection("127.0.0.1", port, PATIENCE_S, source_address=(ADDRESS, 0))
    reply = open_stream(connection, "ending=hang&after_events=3&words=9")
    # The node says no more: what comes was not kept for a fuller buffer.
    events = [line for _ in range(6) if (line := reply.readline()) != b"\n"]
    assert len(events) == 3
    assert all(event.startswith(b"data: {") for event in events)
    reply.close()
    connection.close()
    proxy.read_until("end=client_gone", f"client={ADDRESS} ")


def test_a_body_of_three_megabytes_and_the_end_of_a_stream_pass(port: int, proxy: Process) -> None:
    connection = HTTPConnection("127.0.0.1", port, PATIENCE_S, source_address=(ADDRESS, 0))
    try:
        reply = open_stream(connection, "words=3", content="x" * 3_000_000)
        assert reply.read().endswith(b"data: [DONE]\n\n")
    finally:
        connection.close()
    proxy.read_until("end=completed", f"client={ADDRESS} ")
