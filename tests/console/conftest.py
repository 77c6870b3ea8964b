"""A proxy with a simulated node, and its pages in a real Chromium: one of each for a module."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from casedesk_proxy.config.load import load_config
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.simulator.app import Simulator, start
from casedesk_proxy.store.file import FILE_NAME
from casedesk_proxy.store.writer import StoreWriter
from tests.console.chromium import chromium
from tests.console.visits import KEY
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.proxy import config_text, key_entry

MODELS = ["sim", "sim-fast", "sim-long"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node() -> AsyncIterator[Simulator]:
    node = await start(pace=50, keep=100)
    yield node
    await node.stop()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gateway(
    node: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    store = StoreWriter(tmp_path_factory.mktemp("state") / FILE_NAME, gather_s=0.001)
    await asyncio.to_thread(store.start)
    config = {
        "server": {"admin": "127.0.0.1:0"},
        "nodes": {
            name: {"url": node.url, "engine": name, "models": MODELS}
            for name in ("gemini", "anthropic", "openai")
        },
        "deployments": {"desk": {"nodes": ["gemini", "anthropic", "openai"]}},
        "keys": [{**key_entry(KEY, "desk", name="anna"), "admin": True}],
    }
    gateway = Gateway(load_config(config_text(config), "t").config, {}, store=store)
    await gateway.start()
    yield gateway
    await gateway.stop()
    await asyncio.to_thread(store.close, 10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chromium")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser(folder: Path) -> AsyncIterator[Browser]:
    async with chromium(folder) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, gateway: Gateway) -> AsyncIterator[Page]:
    """A page at the sign-in. The test fails if a page writes to the browser's console."""
    context = await browser.new_context(
        base_url=gateway.urls[0], viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE_S * 1000)
    page = await context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on(
        "console", lambda message: said.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    context.on("request", lambda request: asked.append(request.url))
    await page.goto("/console/")
    yield page
    await context.close()
    # The next test's table begins without this one's streams.
    await gateway._handler.exchanges.wait_quiet()
    assert [one for one in said if not one.startswith("Failed to load resource")] == []
    assert [one for one in asked if not one.startswith((gateway.urls[0], "data:"))] == []
