"""A proxy that is killed at any moment loses no finished file, and continues uploads."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from casedesk_proxy.store.file import FILE_NAME
from tests.fixtures.proxy import ProxyProcess, proxy_process

KILLS = 2
CONTENT = random.Random(1).randbytes(6 * 2**20)
PIECE_BYTES = 2**18
START = {
    "X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start",
    "X-Goog-Upload-Header-Content-Length": str(len(CONTENT)),
}  # fmt: skip


def config(folder: Path) -> dict[str, Any]:
    return {
        "server": {"state_directory": str(folder / "state"), "access_log": False},
        "default_deployment": "d",
        "nodes": {"n": {"url": "http://127.0.0.1:1", "engine": "vllm", "models": ["m"]}},
        "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
    }


def kill_soon(proxy: ProxyProcess, seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, proxy.process.send_signal, (signal.SIGKILL,))
    timer.start()
    return timer


class Uploader:
    """Uploads one file after another. ``path``: the URL of the upload that runs; ``files``: those
    whose end was confirmed."""

    def __init__(self) -> None:
        self.path: str | None = None
        self.files: list[str] = []

    def go_on(self, client: httpx.Client) -> None:
        """Continue until the end of a file."""
        if self.path is None:
            begun = client.post("/upload/v1beta/files", headers=START)
            self.path = httpx.URL(begun.headers["x-goog-upload-url"]).raw_path.decode()
        asked = client.post(self.path, headers={"X-Goog-Upload-Command": "query"})
        while asked.headers["x-goog-upload-status"] == "active":
            assert asked.status_code == 200, asked.text
            at = int(asked.headers["x-goog-upload-size-received"])
            piece = CONTENT[at : at + PIECE_BYTES]
            command = "upload, finalize" if at + len(piece) == len(CONTENT) else "upload"
            headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(at)}
            asked = client.post(self.path, headers=headers, content=piece)
        assert asked.status_code == 200, asked.text
        self.files.append(asked.json()["file"]["name"])
        self.path = None


@contextmanager
def served(folder: Path) -> Iterator[tuple[ProxyProcess, httpx.Client]]:
    with (
        proxy_process(folder, config(folder)) as proxy,
        httpx.Client(base_url=proxy.url, timeout=20, trust_env=False) as client,
    ):
        yield proxy, client


@pytest.mark.timeout(120)
def test_no_kill_loses_a_file_or_an_upload(tmp_path: Path) -> None:
    uploader, pause = Uploader(), random.Random(2)
    for _ in range(KILLS):
        with served(tmp_path) as (proxy, client):
            timer = kill_soon(proxy, pause.uniform(0.05, 0.6))
            with contextlib.suppress(httpx.TransportError):
                while True:
                    uploader.go_on(client)
            timer.join()
    with served(tmp_path) as (proxy, client):
        uploader.go_on(client)
        for name in uploader.files:
            got = client.get(f"/v1beta/{name}:download").content
            assert sha256(got).digest() == sha256(CONTENT).digest()
        proxy.stop()
    left = {one.name for one in (tmp_path / "state" / "files").iterdir()}
    with closing(sqlite3.connect(tmp_path / "state" / FILE_NAME)) as state:
        rows = {ident for (ident,) in state.execute("SELECT id FROM files")}
    assert left <= rows, "contents without a row are cleared at the start"
