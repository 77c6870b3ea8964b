#!/usr/bin/env python3
"""The cost of an open console page for the daemon: its CPU time with and without the page, in turn,
while the same streams run.

python -m bench.console                              # 9 000 slow streams
python -m bench.console -n 300 --rate 50             # the load of relay_cost.py
python -m bench.console --search gpt --pages 3       # three pages with a search
python -m bench.console -n 200 --rate 10 --cancel 50 # and how soon a node notices a cancel

A page makes a browser's requests: the events of all sections and, with ``--search``, the streams
that contain this text, every two seconds. The daemon needs two descriptors a stream (ulimit -n).
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.accounts import cpu_ns
from bench.chaos import Proxy, serving
from bench.leaving import ask, drink, play_node

KEY = "bench-console"
CONFIG = """
server: {{listen: "127.0.0.1:0", admin: "127.0.0.1:0", access_log: false}}
default_deployment: d
nodes: {{n: {{url: "http://127.0.0.1:{port}", engine: openai, models: [m], max_streams: 20000}}}}
deployments: {{d: {{auth: none, nodes: [n]}}}}
keys: [{{name: root, sha256: {sha256}, admin: true, deployments: [d]}}]
"""
_API = "/console/api"
_SEARCH_PERIOD_S = 2.0


def play_clients(port: int, streams: int, told: Connection) -> None:
    """Open them, report that, and read until the process is ended."""
    peers = {number: ask(port, number) for number in range(streams)}
    told.send(len(peers))
    while True:
        drink(peers, 60)


class Pages:
    """The requests of ``pages`` browsers that show the status."""

    def __init__(self, port: int, pages: int, search: str) -> None:
        self._port, self._pages, self._search = port, pages, search
        self.received = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{self._port}", headers=headers) as http:
            jobs = [asyncio.ensure_future(self._watch(http)) for _ in range(self._pages)]
            if self._search:
                jobs += [asyncio.ensure_future(self._find(http)) for _ in range(self._pages)]
            await asyncio.sleep(0.5)
            yield
            for one in jobs:
                if one.done():
                    one.result()
                one.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _watch(self, http: aiohttp.ClientSession) -> None:
        async with http.get(f"{_API}/events") as reply:
            reply.raise_for_status()
            async for data in reply.content.iter_any():
                self.received += len(data)

    async def _find(self, http: aiohttp.ClientSession) -> None:
        while True:
            async with http.get(f"{_API}/streams", params={"find": self._search}) as reply:
                reply.raise_for_status()
                self.received += len(await reply.read())
            await asyncio.sleep(_SEARCH_PERIOD_S)


async def measure(
    proxy: Proxy, pages: Pages, windows: int, seconds: float
) -> tuple[list[float], list[float]]:
    """Shares of a core, without and with the pages."""
    shares: tuple[list[float], list[float]] = ([], [])
    for number in range(windows * 2):
        # Every other pair in reverse order.
        with_page = bool(number % 2) ^ bool(number // 2 % 2)
        if with_page:
            async with pages.opened():
                shares[1].append(await _share(proxy, seconds))
        else:
            shares[0].append(await _share(proxy, seconds))
    return shares


async def _share(proxy: Proxy, seconds: float) -> float:
    before, begun = cpu_ns(proxy.process.pid), time.monotonic()
    await asyncio.sleep(seconds)
    return (cpu_ns(proxy.process.pid) - before) / 1e9 / (time.monotonic() - begun)


async def cancel(port: int, count: int, ended: Connection) -> list[float]:
    """Milliseconds from the request that cancels a stream to the end of its node's connection, for
    so many streams one after the other."""
    took: list[float] = []
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as http:
        async with http.get(f"{_API}/streams") as reply:
            rows = (await reply.json())["rows"]
        for row in rows[:count]:
            begun = time.monotonic()
            async with http.post(f"{_API}/streams/{row['id']}/cancel") as reply:
                reply.raise_for_status()
            _, at = await asyncio.to_thread(ended.recv)
            took.append((at - begun) * 1e3)
    return sorted(took)


async def run(
    streams: int, rate: float, pages: int, search: str, windows: int, seconds: float, cancels: int
) -> None:
    fork = multiprocessing.get_context("fork")
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    here, there = multiprocessing.Pipe(duplex=False)
    node = fork.Process(target=play_node, args=(listener, there, rate), daemon=True)
    node.start()
    try:
        config = CONFIG.format(
            port=listener.getsockname()[1], sha256=hashlib.sha256(KEY.encode()).hexdigest()
        )
        async with serving(config) as proxy:
            opened, told = multiprocessing.Pipe(duplex=False)
            clients = fork.Process(
                target=play_clients, args=(proxy.port, streams, told), daemon=True
            )
            clients.start()
            try:
                await asyncio.to_thread(opened.recv)
                shown = Pages(proxy.port, pages, search)
                alone, watched = await measure(proxy, shown, windows, seconds)
                took = await cancel(proxy.port, cancels, here)
            finally:
                clients.terminate()
                clients.join()
    finally:
        node.terminate()
        node.join()
        listener.close()
        here.close()
    report(streams, rate, pages, search, alone, watched, shown.received)
    if took:
        times = [f"{took[int(share * (len(took) - 1) + 0.5)]:.2f}" for share in (0.5, 0.99, 1)]
        click.echo(f"  {len(took)} cancelled, ms p50 {times[0]}  p99 {times[1]}  max {times[2]}")


def report(
    streams: int,
    rate: float,
    pages: int,
    search: str,
    alone: list[float],
    watched: list[float],
    received: int,
) -> None:
    """In percent of a core: median (least–most)."""
    click.echo(
        f"{streams} streams × {rate:g}/s, {pages} page(s)"
        f"{f', searching for {search}' if search else ''}: % of a core, median (least–most)"
    )
    added = [one - other for one, other in zip(watched, alone, strict=True)]
    for name, shares in (("without", alone), ("with", watched), ("added", added)):
        middle = statistics.median(shares)
        click.echo(f"  {name:<8}{middle:8.2%}  ({min(shares):.2%}–{max(shares):.2%})")
    click.echo(f"  ratio   {statistics.median(watched) / statistics.median(alone):8.3f}")
    click.echo(f"  {received / 1024:.0f} KiB sent to pages")


@click.command(help=__doc__)
@click.option("-n", "--streams", default=9000, show_default=True)
@click.option("--rate", default=0.2, show_default=True, help="Events a second in each stream.")
@click.option("--pages", default=1, show_default=True, help="Pages that are open at once.")
@click.option("--search", default="", help="What is searched for on each page.")
@click.option("--cancel", "cancels", default=0, show_default=True, help="Streams, 200 at most.")
@click.option("--windows", default=5, show_default=True, help="Windows of each kind.")
@click.option("--seconds", default=4.0, show_default=True, help="Of a window.")
def main(**options: Any) -> None:
    asyncio.run(run(**options))


if __name__ == "__main__":
    main()
