"""The status of a running proxy as users see it."""

from __future__ import annotations

import json
import re
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from rich.console import Console

from casedesk_proxy.cli.status import _ago, _show
from tests.cli.command import invoke, run
from tests.fixtures.table import table

TOLD: dict[str, Any] = {
    "version": "1.2.3", "pid": 77, "started": 0.0, "ready": True, "draining": False,
    "listen": ["http://127.0.0.1:8080"],
    "config": {"loaded": 0.0, "tried": 0.0, "refusal": None},
    "streams": 3, "waiting": {"d": 2}, "connections": 9,
    "nodes": {
        "gpu0": {
            "healthy": True, "full": False, "full_for": [], "available": True,
            "in_flight": 3, "limit": 16, "draining": False, "asked": 40,
            "last_error": "", "models": ["a[b]", "c"],
        },
        "gpu1": {
            "healthy": False, "full": False, "full_for": [], "available": False,
            "in_flight": 0, "limit": None, "draining": False, "asked": 0,
            "last_error": "refused", "models": None,
        },
    },
}  # fmt: skip


def shown(told: dict[str, Any], now: float = 90.0) -> str:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        _show(console, told, now)
    return console.export_text()


def test_for_people() -> None:
    text = shown(TOLD)
    assert text.splitlines()[0] == "ready  CaseDesk Proxy 1.2.3, process 77, up 1 min 30 s"
    assert "3 streams, 2 waiting, 9 connections" in text
    (gpu0,) = [line.split() for line in text.splitlines() if line.startswith("gpu0")]
    assert gpu0 == ["gpu0", "up", "3", "of", "16", "40", "a[b],", "c"]
    (gpu1,) = [line.split() for line in text.splitlines() if line.startswith("gpu1")]
    assert gpu1 == ["gpu1", "down", "0", "0", "unknown", "refused"]


@table(
    ("change", "word"),
    [
        ({}, "up"),
        ({"full_for": ["m", "n:7b"]}, "full for m, n:7b"),
        ({"full": True, "full_for": ["m"]}, "full"),
        ({"draining": True, "full": True}, "draining"),
        ({"healthy": False, "draining": True}, "down"),
        ({"healthy": False, "hung": True}, "hung"),
        ({"lacks": [{"model": "m", "action": "a"}, {"model": "m", "action": "b"}]}, "lacks m"),
    ],
)
def test_how_a_node_is(change: dict[str, Any], word: str) -> None:
    text = shown({**TOLD, "nodes": {"gpu0": {**TOLD["nodes"]["gpu0"], **change}}})
    assert re.search(rf"^gpu0 +{re.escape(word)} +3 of 16", text, re.MULTILINE)


@table(
    ("change", "word"),
    [
        ({"ready": False}, "not ready"),
        ({"ready": False, "draining": True}, "draining"),
        ({"config": {"loaded": 0.0, "tried": 80.0, "refusal": "f:1:2: no"}}, "refused 10 s ago: f"),
    ],
)
def test_trouble_is_named(change: dict[str, Any], word: str) -> None:
    assert word in shown({**TOLD, **change})


@table(
    ("until", "line"),
    [
        (30.0, "TLS      the certificate expired 1 min 0 s ago"),
        (90.0 + 3700, "TLS      the certificate expires in 1 h 1 min"),
        (90.0 + 30 * 86400, "TLS      the certificate expires in 30 d 0 h"),
    ],
)
def test_how_long_the_certificate_is_valid(until: float, line: str) -> None:
    assert line in shown({**TOLD, "certificate": {"until": until}}).splitlines()
    assert "TLS" not in shown({**TOLD, "certificate": {"until": None}})


def test_each_of_several_instances_has_a_line() -> None:
    draining = {**TOLD, "draining": True, "pid": 78}
    text = shown({**TOLD, "instances": {"a": TOLD, "b": draining, "c": None}})
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.split()}
    assert lines["a"] == ["a", "ready", "3", "2", "9", "77", "1", "min", "30", "s"]
    assert lines["b"][:2] == ["b", "draining"]
    assert lines["c"] == ["c", "does", "not", "answer"]


@table(
    ("seconds", "wanted"),
    [(-1, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3700, "1 h 1 min"), (90000, "1 d 1 h")],
)
def test_durations(seconds: float, wanted: str) -> None:
    assert _ago(0, seconds) == wanted


@contextmanager
def serving(body: bytes, path: Path | None = None) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

        def address_string(self) -> str:
            return "client"

    if path is None:
        server: socketserver.BaseServer = HTTPServer(("127.0.0.1", 0), Answer)
        address = f"127.0.0.1:{server.server_address[1]}"  # type: ignore[index]
    else:
        server = socketserver.UnixStreamServer(str(path), Answer)
        address = f"unix:{path}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_command(tmp_path: Path) -> None:
    # The hours for which it runs are the same for half an hour: the commands' output is compared.
    since = time.time() - 86400 - 1800
    told = {
        **TOLD, "started": since, "config": {"loaded": since, "tried": since, "refusal": None},
    }  # fmt: skip
    body = json.dumps(told).encode()
    with serving(body) as address:
        done = run("status", "--admin", address)
        assert (done.returncode, done.stderr) == (0, "")
        assert "process 77" in done.stdout
        assert "\x1b[" not in done.stdout
        assert invoke("status", "--admin", f"http://{address}/").stdout == done.stdout
        file = tmp_path / "c.yaml"
        file.write_text(
            f'server: {{admin: "{address}"}}\nnodes: {{n: {{url: "http://127.0.0.1:1"}}}}\n'
            "deployments: {d: {auth: none, nodes: [n]}}\n"
        )
        done = invoke("status", "--config", file, "--json")
        assert json.loads(done.stdout) == told
    with serving(body, tmp_path / "admin.sock") as address:
        assert "process 77" in invoke("status", "--admin", address).stdout


def test_not_ready_is_an_exit_code() -> None:
    with serving(json.dumps({**TOLD, "ready": False}).encode()) as address:
        assert invoke("status", "--admin", address).returncode == 1


@table("body", [b"<html>", b"[]", b'{"error": 1}'])
def test_somebody_else(body: bytes) -> None:
    with serving(body) as address:
        done = invoke("status", "--admin", address)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"error: {address} is not the admin address of a CaseDesk Proxy\n"


def test_nobody_there(tmp_path: Path) -> None:
    done = invoke("status", "--admin", f"unix:{tmp_path}/none")
    assert done.returncode == 2
    assert "nothing answers there" in done.stderr
    done = invoke("status", "--admin", "127.0.0.1:1")
    assert done.returncode == 2
    assert "127.0.0.1:1: nothing answers there" in done.stderr
    assert "--admin" not in done.stderr
    file = tmp_path / "c.yaml"
    file.write_text(
        'server: {admin: "127.0.0.1:1"}\nnodes: {n: {url: "http://127.0.0.1:2"}}\n'
        "deployments: {d: {auth: none, nodes: [n]}}\n"
    )
    assert "name the admin address of one with --admin" in invoke("status", "--config", file).stderr


def test_what_is_no_address() -> None:
    done = invoke("status", "--admin", "gpubox")
    assert done.returncode == 2
    assert done.stderr == "error: gpubox is not an address; write host:port or unix:/path\n"
