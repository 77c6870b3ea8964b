#!/usr/bin/env python3
"""How soon a host knows what another host's clients have used, through a shared PostgreSQL, or an
instance what another instance's clients have used, through their state file.

python bench/hosts.py                       # 100 requests to each of two proxies
python bench/hosts.py -n 20
python bench/hosts.py --one-host            # two instances with one state file, no PostgreSQL

Two proxies, one key: a request to one, then `/v1/usage` at the other until it counts the tokens.
The exit code is 1 if that took a second or more even once, which is what the documentation
promises.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median

import aiohttp
import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.ledger import find_port, start_proxy
from casedesk_proxy.simulator.script import Script
from tests.fixtures.postgres import postgres
from tests.fixtures.simulated import simulator

CONFIG = """
server: {{listen: "127.0.0.1:{port}", admin: null, access_log: false, state_directory: {state}}}
default_deployment: d
nodes: {{n: {{url: "{node}", engine: openai, models: [m], probe_interval: 0}}}}
deployments: {{d: {{nodes: [n]}}}}
keys: [{{name: alice, sha256: {digest}, deployments: [d], limits: {{tokens_per_day: 1000000000}}}}]
"""
SHARED = "ledger: {url: {env: LEDGER}}\n"
KEY = "cdp-bench"
PROMISED_S = 1.0
ASK_S = 0.005


def write_config(folder: Path, port: int, node: str, state: Path, database: str | None) -> Path:
    folder.mkdir()
    file = folder / "config.yaml"
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    text = CONFIG.format(port=port, state=state, node=node, digest=digest)
    file.write_text(text + (SHARED if database is not None else ""))
    return file


@asynccontextmanager
async def host(folder: Path, node: str, state: Path, database: str | None) -> AsyncIterator[str]:
    """The URL of a proxy."""
    port = find_port()
    file = write_config(folder, port, node, state, database)
    process = await start_proxy(file, port, LEDGER=database or "")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def used(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(f"{url}/v1/usage") as reply:
        told = await reply.json()
    return int(told["used"]["tokens_today"])


async def measure(session: aiohttp.ClientSession, one: str, other: str) -> float:
    """Seconds from the end of a request at ``one`` until ``other`` counts it."""
    before = await used(session, other)
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    async with session.post(f"{one}/v1/chat/completions", json=body) as reply:
        reply.raise_for_status()
        await reply.read()
    began = time.perf_counter()
    while True:
        if await used(session, other) != before:
            return time.perf_counter() - began
        await asyncio.sleep(ASK_S)


async def run(requests: int, *, one_host: bool = False) -> list[float]:
    found: list[float] = []
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="casedesk-hosts-")))
        database = None if one_host else stack.enter_context(postgres()).url
        node = (await stack.enter_async_context(simulator(m=Script(words=8)))).url
        urls = [
            await stack.enter_async_context(
                host(folder / name, node, folder / ("state" if one_host else name) / "s", database)
            )
            for name in ("one", "other")
        ]
        headers = {"Authorization": f"Bearer {KEY}"}
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        # The first request creates the tables.
        await measure(session, *urls)
        with Progress() as progress:
            for _ in progress.track(range(requests), description="requests to each"):
                found += [await measure(session, *urls), await measure(session, *reversed(urls))]
    return found


@click.command()
@click.option("-n", "requests", default=100, show_default=True, help="Requests to each.")
@click.option("--one-host", is_flag=True, help="Two instances with one state file.")
def main(requests: int, *, one_host: bool) -> None:
    """Measure how soon hosts, or instances of one host, know the use of others."""
    found = sorted(asyncio.run(run(requests, one_host=one_host)))
    table = Table("requests", "median s", "p99 s", "longest s")
    p99 = found[min(int(0.99 * len(found)), len(found) - 1)]
    table.add_row(str(len(found)), *(f"{one:.2f}" for one in (median(found), p99, found[-1])))
    Console().print(table)
    sys.exit(1 if found[-1] >= PROMISED_S else 0)


if __name__ == "__main__":
    main()
