"""Debian's Chromium, installed if it is missing, driven by Playwright."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright, expect

from bench.installation import find_debian
from tests.fixtures.patience import PATIENCE_S

__all__ = ["chromium", "read_addresses"]

#: What it does by itself is left out; what pages make it do would still be seen.
_QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
#: The network log is whole once the browser is closed.
_LOG = "network.json"


@functools.cache
def _program() -> str:
    fonts = ("fonts-liberation", "fonts-dejavu-core", "fonts-droid-fallback")
    return find_debian("chromium", "chromium", *fonts)


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Browser]:
    """One browser, which records each of its connections in ``folder``."""
    log = f"--log-net-log={folder / _LOG}"
    expect.set_options(timeout=PATIENCE_S * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_program(), args=[log, *_QUIET])
        yield browser
        await browser.close()


def read_addresses(folder: Path) -> set[str]:
    """``host:port`` of all connections and of all attempts at one, and of all datagrams. A socket
    that gets an address and is never used is not counted: the browser looks for a route so."""
    log: dict[str, Any] = json.loads((folder / _LOG).read_text())
    numbers = {number: name for name, number in log["constants"]["logEventTypes"].items()}
    found: set[str] = set()
    datagrams: dict[int, str] = {}
    for event in log["events"]:
        given, source = event.get("params", {}), event["source"]["id"]
        match numbers[event["type"]]:
            case "TCP_CONNECT_ATTEMPT" if "address" in given:
                found.add(given["address"])
            case "UDP_CONNECT" if "address" in given:
                datagrams[source] = given["address"]
            case "UDP_BYTES_SENT":
                found.add(given.get("address") or datagrams[source])
    return found
