"""``usage --all-hosts`` against a real PostgreSQL."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from casedesk_proxy.ledger.database import connect, insert_rows
from casedesk_proxy.ledger.rows import COLUMNS
from tests.cli.command import invoke
from tests.fixtures.postgres import postgres

CONFIG = """
nodes: {n: {url: "http://127.0.0.1:1", engine: vllm}}
deployments: {d: {auth: none, nodes: [n]}}
"""
SHARED = CONFIG + "ledger: {url: {env: LEDGER}}"
ROW: dict[str, Any] = {
    **dict.fromkeys(COLUMNS, ""), "key": "alice", "status": 200, "ending": "completed",
    "prompt": 5, "output": 7, "cached": 0, "thoughts": 0, "estimated": 0, "first_byte": 0.5,
    "duration": 1.0, "queued": 0.0, "ended": 1.5,
}  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(SHARED)
    return file


async def enter(url: str) -> None:
    while True:
        try:
            connection = await connect(asyncpg, url)
            break
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(0.01)
    values = [ROW[name] for name in COLUMNS]
    await insert_rows(connection, [("one host", 1, *values), ("another", 1, *values)])
    await connection.close()


@pytest.mark.timeout(120)
def test_it_shows_what_all_hosts_used(file: Path) -> None:
    with postgres() as server:
        asyncio.run(enter(server.url))
        shown = invoke("usage", "--all-hosts", "--config", file, LEDGER=server.url)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert shown.stdout.splitlines()[1].split()[:6] == ["alice", "2", "0", "10", "0", "14"]
        gone = server.url.replace("/postgres?", "/none?")
        shown = invoke("usage", "--all-hosts", "--config", file, LEDGER=gone)
    assert shown.returncode == 2
    assert 'database "none" does not exist' in shown.stderr
    assert "very-secret" not in shown.stderr


def test_it_needs_a_database(file: Path) -> None:
    file.write_text(CONFIG)
    shown = invoke("usage", "--all-hosts", "--config", file)
    assert shown.returncode == 2
    assert "set ledger.url" in shown.stderr


def test_it_needs_the_url(file: Path) -> None:
    shown = invoke("usage", "--all-hosts", "--config", file)
    assert shown.returncode == 2
    assert "ledger.url" in shown.stderr
    assert "LEDGER" in shown.stderr


def test_it_needs_the_driver(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", find)
    shown = invoke("usage", "--all-hosts", "--config", file, LEDGER="postgresql:///x")
    assert shown.returncode == 2
    assert "casedesk-proxy[postgres]" in shown.stderr
