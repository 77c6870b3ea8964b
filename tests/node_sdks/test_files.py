"""Files with the vendors' SDKs for Node: uploaded in pieces, listed by page, downloaded,
deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.fixtures.proxy import proxy_here
from tests.node_sdks.scripts import Script, script
from tests.server.limited import state_file

#: More than a piece of Google's SDK, which has 8 MiB.
SIZE = 9 * 2**20
CONFIG = {
    "nodes": {"n": {"url": "http://127.0.0.1:1", "engine": "vllm", "models": ["m"]}},
    "deployments": {"d": {"nodes": ["n"], "auth": "none"}},
    "default_deployment": "d",
    "server": {"access_log": False},
}


@pytest.fixture(scope="module")
def node() -> Iterator[Script]:
    with script("files.mjs") as running:
        yield running


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    async with state_file(tmp_path) as store, proxy_here(CONFIG, store=store) as proxy:
        yield proxy.url


@pytest.mark.parametrize(
    ("client", "mount", "wanted"),
    [
        (
            "genai",
            "/proxy/d/gemini",
            {"shown": "Näme", "listed": 2, "gone": 403, "blob": "files/mine"},
        ),
        ("generativeAi", "/proxy/d/gemini", {"shown": "old", "listed": 1, "gone": 403}),
        ("openai", "/v1", {"shown": "big.txt", "listed": 2, "gone": 404, "same": True}),
        ("anthropic", "", {"shown": "big.txt", "listed": 2, "gone": 404, "same": True}),
    ],
)
async def test_files_of_an_sdk(
    node: Script, url: str, tmp_path: Path, client: str, mount: str, wanted: dict[str, object]
) -> None:
    path = tmp_path / "big.txt"
    await asyncio.to_thread(path.write_bytes, b"0123456789abcdef" * (SIZE // 16))
    found = await node.ask(client, url + mount, str(path))
    assert "error" not in found, found
    assert found["size"] == SIZE
    assert wanted.items() <= found.items()
    if client == "genai":
        assert (found["state"], found["uri"].startswith(f"{url}{mount}/v1beta/files/")) == (
            "ACTIVE", True,
        )  # fmt: skip
