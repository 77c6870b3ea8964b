#!/usr/bin/env python3
"""Many failures at once, after which nothing may leak: nodes are killed and restarted, stall, cut,
reset and send garbage; clients read slowly, leave, and arrive in crowds.

python bench/chaos.py                         # 500 clients, 4 nodes, three minutes
python bench/chaos.py -n 50 -t 10 --seed 7

The exit code is 1 if an answer looked complete and was not, an exchange ended in an unknown state,
slots, waiting requests, file descriptors or memory are left over at the end, or memory grew while
it ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import re
import signal
import socket
import statistics
import struct
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, TimeRemainingColumn
from rich.table import Table

from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.simulator.app import Simulator, start
from casedesk_proxy.simulator.script import Ending, Script

CONFIG = """
server: {{listen: "127.0.0.1:0", admin: "127.0.0.1:0", access_log: false}}
default_deployment: d
nodes:
{nodes}
deployments:
  d: {{auth: none, nodes: [{names}], heartbeat: 1s, heartbeat_verbatim: true, idle_timeout: 5s,
      first_byte_timeout: 5s, queue_timeout: 10s, client_stall_timeout: 3s, max_waiting: 300}}
"""
NODE = (
    '  {name}: {{url: "{url}", engine: openai, models: [{models}], max_streams: 90,'
    " probe_interval: 1s}}"
)
ENDINGS = tuple(one for one in Ending if one is not Ending.FINISH)
MODELS = 200
STATUSES = (400, 429, 500, 502, 503)
LEGAL = {one.value for one in Terminal} - {Terminal.FAILED.value}
#: KB of private memory that may be added without being a leak: the allocator keeps freed memory.
SPARE_KB = 20_000


@dataclass
class Tally:
    """What clients saw. ``lies`` are answers that looked complete and were not."""

    seen: Counter[str] = field(default_factory=Counter)
    lies: list[str] = field(default_factory=list)


def make_scripts(chance: random.Random) -> dict[str, Script]:
    """Models by name, each with a behaviour of its own; a quarter of them fail on purpose."""
    return {f"m{number}": make_script(chance) for number in range(MODELS)}


def make_script(chance: random.Random) -> Script:
    words = chance.randint(1, 40)
    script = Script(
        words=words,
        words_per_second=chance.choice((0.0, 10.0, 40.0)),
        head_delay=chance.uniform(0, 3) if chance.random() < 0.1 else 0.0,
    )
    if chance.random() < 0.2:
        ending, after = chance.choice(ENDINGS), chance.randint(0, words)
        return replace(script, ending=ending, after_events=after)
    if chance.random() < 0.1:
        return replace(script, status=chance.choice(STATUSES))
    return script


class Nodes:
    """Simulated nodes that are killed and come back at their ports."""

    def __init__(self, chance: random.Random, scripts: dict[str, Script]) -> None:
        self._chance = chance
        self._scripts = scripts
        self._nodes: dict[str, Simulator | None] = {}
        self._ports: dict[str, int] = {}
        self.kills = 0

    async def begin(self, count: int) -> str:
        """The nodes' lines of the configuration."""
        lines = []
        for number in range(count):
            name = f"n{number}"
            node = self._nodes[name] = await start(pace=0, models=self._scripts)
            self._ports[name] = node.port
            lines.append(NODE.format(name=name, url=node.url, models=", ".join(self._scripts)))
        return CONFIG.format(nodes="\n".join(lines), names=", ".join(self._nodes))

    async def torment(self) -> None:
        """Stop one node at a time for a while, until cancelled."""
        while True:
            await asyncio.sleep(self._chance.uniform(0.5, 4))
            name = self._chance.choice(list(self._nodes))
            node, self._nodes[name] = self._nodes[name], None
            if node is not None:
                self.kills += 1
                await node.stop()
            await asyncio.sleep(self._chance.uniform(0.1, 4))
            self._nodes[name] = await start(port=self._ports[name], pace=0, models=self._scripts)

    async def end(self) -> None:
        for node in self._nodes.values():
            if node is not None:
                await node.stop()


class Client:
    """Sends requests repeatedly, each with other content and behaviour."""

    def __init__(
        self, port: int, scripts: dict[str, Script], chance: random.Random, tally: Tally
    ) -> None:
        self._port, self._scripts = port, scripts
        self._chance, self._tally = chance, tally

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._once()
            except (ConnectionError, asyncio.IncompleteReadError):
                self._tally.seen["connection cut before a head"] += 1
            except TimeoutError:
                self._tally.lies.append("nothing came for a minute")

    async def _once(self) -> None:
        chance, model = self._chance, self._chance.choice(list(self._scripts))
        surface, stream = chance.choice(list(TARGETS)), chance.random() < 0.75
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(request(surface, model, stream=stream))
            async with asyncio.timeout(60):
                if chance.random() < 0.15:
                    await self._leave(reader, writer)
                else:
                    slow = chance.random() < 0.1
                    self._judge(await self._read(reader, slow=slow), surface, model)
        finally:
            writer.transport.abort()

    async def _leave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Somewhere between asking and the answer's end: by a FIN or an RST."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._chance.expovariate(2)):
                await reader.read()
        if self._chance.random() < 0.5:
            linger = struct.pack("ii", 1, 0)
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._tally.seen["left"] += 1

    async def _read(self, reader: asyncio.StreamReader, *, slow: bool) -> tuple[int, bytes, bool]:
        """Status, body, and whether it ended as its framing says."""
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split()[1])
        length = re.search(rb"(?i)content-length: (\d+)", head)
        try:
            if length is not None:
                return status, await reader.readexactly(int(length[1])), True
            body = b""
            while True:
                if slow:
                    await asyncio.sleep(self._chance.uniform(0, 0.3))
                size = int(await reader.readuntil(b"\r\n"), 16)
                piece = await reader.readexactly(size + 2)
                if not size:
                    return status, body, True
                body += piece[:-2]
        except (ConnectionError, asyncio.IncompleteReadError):
            return status, b"" if length else body, False

    def _judge(self, reply: tuple[int, bytes, bool], surface: str, model: str) -> None:
        status, body, proper = reply
        words = self._scripts[model].words or 0
        seen = self._tally.seen
        if status != 200:
            seen[f"refused with {status}"] += 1
        elif not proper:
            seen["cut"] += 1
        elif b'"error"' in body:
            seen["told of an error"] += 1
        elif not is_answer(body):
            seen["no JSON, as every client notices"] += 1
        elif [int(one) for one in re.findall(rb"\d+", said(surface, body))] == [
            *range(1, words + 1)
        ]:
            seen["whole"] += 1
        else:
            self._tally.lies.append(f"{surface} {self._scripts[model]}: {body[-200:]!r}")


TARGETS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/",
}


def request(surface: str, model: str, *, stream: bool) -> bytes:
    target = TARGETS[surface]
    said: list[dict[str, Any]] = [{"role": "user", "content": "x"}]
    body: dict[str, Any] = {"model": model, "messages": said, "stream": stream}
    if surface == "gemini":
        action = "streamGenerateContent?alt=sse" if stream else "generateContent"
        target += f"{model}:{action}"
        body = {"contents": [{"role": "user", "parts": [{"text": "x"}]}]}
    elif surface == "anthropic":
        body["max_tokens"] = 1000
    data = json.dumps(body).encode()
    lines = [
        f"POST {target} HTTP/1.1",
        "Host: chaos",
        "anthropic-version: 2023-06-01",
        f"Content-Length: {len(data)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + data


def is_answer(body: bytes) -> bool:
    """Whether every event, or the whole of a unary body, is JSON."""
    events = re.findall(rb"(?m)^data: ?(.*?)\r?$", body)
    try:
        for one in events or [body]:
            if one != b"[DONE]":
                json.loads(one)
    except ValueError:
        return False
    return True


_TEXT = re.compile(rb'"(?:content|text)":\s*"((?:[^"\\]|\\.)*)"')


def said(surface: str, body: bytes) -> bytes:
    """The texts of an answer, joined."""
    return b"".join(_TEXT.findall(body))


class Proxy:
    """``casedesk-proxy serve`` as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, admin: int) -> None:
        self.process, self.port, self._admin = process, port, admin

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def memory(self) -> int:
        """KB of private memory."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return sum(int(one) for one in re.findall(r"Private_\w+:\s+(\d+)", text))

    async def status(self) -> dict[str, Any]:
        return json.loads(await self._get("/status"))

    async def ends(self) -> Counter[str]:
        """Exchanges by terminal state, since the start."""
        counts: Counter[str] = Counter()
        for line in (await self._get("/metrics")).decode().splitlines():
            if match := re.match(r'casedesk_exchanges_total\{.*end="(\w+)".*\} (\S+)', line):
                counts[match[1]] += int(float(match[2]))
        return counts

    async def seconds(self, histogram: str) -> str:
        """The times within which 99 % of the counted events were, and all of them."""
        buckets = re.findall(
            histogram + r'_bucket\{le="(\S+)"\} (\S+)', (await self._get("/metrics")).decode()
        )
        most = max((float(count) for _, count in buckets), default=0)
        edges = [
            next((edge for edge, count in buckets if float(count) >= share * most), "none")
            for share in (0.99, 1)
        ]
        return ", ".join(edges)

    def processor(self) -> tuple[float, float]:
        """Seconds on a processor, and seconds ready to run without one, since the start."""
        used, waited, _ = Path(f"/proc/{self.process.pid}/schedstat").read_text().split()
        return int(used) / 1e9, int(waited) / 1e9

    async def _get(self, path: str) -> bytes:
        url = f"http://127.0.0.1:{self._admin}{path}"
        return await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=10).read())

    async def quiet(self, seconds: float) -> dict[str, Any]:
        """The status when nothing is left to do, or after so many seconds."""
        for _ in range(int(seconds / 0.1)):
            status = await self.status()
            busy = sum(status["exchanges"].values()) + sum(status["waiting"].values())
            if not busy and not any(one["in_flight"] for one in status["nodes"].values()):
                break
            await asyncio.sleep(0.1)
        return status


@contextlib.asynccontextmanager
async def serving(config: str) -> AsyncIterator[Proxy]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chaos.yaml"
        file.write_text(config)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "casedesk_proxy", "serve", "--config", str(file),
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        ports: dict[str, int] = {}
        while len(ports) < 2:
            line = (await process.stderr.readline()).decode()
            if not line:
                raise click.ClickException("the proxy did not start")
            for match in re.finditer(r"(serving|admin) on http://127\.0\.0\.1:(\d+)", line):
                ports[match[1]] = int(match[2])
        complaints: list[str] = []
        listening = asyncio.ensure_future(collect(process.stderr, complaints))
        try:
            yield Proxy(process, ports["serving"], ports["admin"])
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()
            await listening
            for line in complaints[:20]:
                click.echo(line, err=True)


async def collect(stream: asyncio.StreamReader, complaints: list[str]) -> None:
    while line := (await stream.readline()).decode():
        if "error" in line or "Traceback" in line:
            complaints.append(line.rstrip())


async def crowd(
    make: Callable[[Tally], Client],
    clients: int,
    seconds: float,
    told: str,
    look: Callable[[float], None] = lambda _: None,
) -> Tally:
    """So many clients for so many seconds, and what they saw. ``look`` is called regularly, with
    the seconds since the beginning."""
    stop = asyncio.Event()
    tally = Tally()
    tasks = [asyncio.ensure_future(make(tally).run(stop)) for _ in range(clients)]
    columns = (*Progress.get_default_columns()[:-1], TimeRemainingColumn(), "{task.fields[seen]}")
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(told, total=seconds, seen="")
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while loop.time() - begun < seconds:
            await asyncio.sleep(0.5)
            look(loop.time() - begun)
            seen = f"{sum(tally.seen.values())} asked, {len(tally.lies)} lies"
            progress.update(bar, completed=loop.time() - begun, seen=seen)
    stop.set()
    await asyncio.gather(*tasks)
    return tally


@dataclass(frozen=True)
class Left:
    """What the process holds while it is idle."""

    descriptors: int
    memory: int
    status: dict[str, Any]


class Samples:
    """Memory over time, while the process works."""

    def __init__(self, proxy: Proxy, seconds: float) -> None:
        self._proxy, self._every = proxy, seconds / 200
        #: Seconds since the beginning, KB of private memory, file descriptors.
        self.taken: list[tuple[float, int, int]] = []

    def look(self, now: float) -> None:
        if now >= len(self.taken) * self._every:
            self.taken.append((now, self._proxy.memory(), self._proxy.descriptors()))

    def parts(self, number: int = 10) -> list[tuple[float, int, int, int]]:
        """When each part of the time began, and its median memory, most memory, and most file
        descriptors."""
        size = max(len(self.taken) // number, 1)
        parts = [self.taken[at : at + size] for at in range(0, size * number, size)]
        return [
            (part[0][0], int(statistics.median(used)), max(used), max(one[2] for one in part))
            for part in parts
            if part and (used := [one[1] for one in part])
        ]

    def growth(self) -> int:
        """How many KB the last fifth of the time has more than the second one. The first is the
        warm-up."""
        fifths = self.parts(5)
        return fifths[-1][1] - fifths[1][1] if len(fifths) == 5 else 0


async def close_half(port: int, scripts: dict[str, Script]) -> None:
    """Send a request and close one half at once: the code that watches such clients is loaded with
    the first of them."""
    model = next(
        name
        for name, one in scripts.items()
        if (one.status, one.ending, one.head_delay) == (200, Ending.FINISH, 0.0)
        and one.words_per_second
        and (one.words or 0) >= 10
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request("openai", model, stream=True))
    writer.write_eof()
    await reader.readuntil(b"data: ")
    writer.transport.abort()


async def rest(proxy: Proxy) -> Left:
    status = await proxy.quiet(20)
    await asyncio.sleep(6)  # idle connections to nodes are kept for some seconds
    return Left(proxy.descriptors(), proxy.memory(), status)


def faults(
    before: Left, after: Left, ends: Counter[str], tally: Tally, growth: int = 0
) -> list[str]:
    """All violations. ``growth``: of memory while it ran, in KB."""
    found = [f"an answer looked whole: {one}" for one in tally.lies[:10]]
    found += [f"{ends[one]} exchanges ended as {one}" for one in ends if one not in LEGAL]
    busy = {key: value for key, value in after.status["exchanges"].items() if value}
    busy |= {key: value for key, value in after.status["waiting"].items() if value}
    if busy:
        found.append(f"still there: {busy}")
    for name, node in after.status["nodes"].items():
        if node["in_flight"]:
            found.append(f"{node['in_flight']} slots of {name} are still taken")
    if after.descriptors > before.descriptors:
        found.append(f"file descriptors: {before.descriptors} → {after.descriptors}")
    if after.memory - before.memory > SPARE_KB:
        found.append(f"memory: {before.memory} → {after.memory} KB")
    if growth > SPARE_KB:
        found.append(f"memory grew by {growth} KB while it ran")
    if not tally.seen["whole"]:
        found.append("not one answer was whole")
    return found


async def run(clients: int, nodes: int, seconds: float, seed: int) -> bool:
    chance = random.Random(seed)
    scripts = make_scripts(chance)
    herd = Nodes(chance, scripts)
    async with serving(await herd.begin(nodes)) as proxy:

        def make(tally: Tally) -> Client:
            return Client(proxy.port, scripts, random.Random(chance.random()), tally)

        # A full load allocates some things once, which is not a leak: so a short run with the same
        # clients comes first.
        await crowd(make, clients, min(seconds / 4, 15), "warming up")
        await close_half(proxy.port, scripts)
        before = await rest(proxy)
        samples, began = Samples(proxy, seconds), proxy.processor()
        torment = asyncio.ensure_future(herd.torment())
        try:
            tally = await crowd(make, clients, seconds, "chaos", samples.look)
        finally:
            torment.cancel()
            await asyncio.gather(torment, return_exceptions=True)
        times = await timings(proxy, began, seconds)
        after, ends = await rest(proxy), await proxy.ends()
    await herd.end()
    found = faults(before, after, ends, tally, samples.growth())
    report(before, after, ends, tally, {"kills of nodes": str(herd.kills), **times})
    report_samples(samples)
    for one in found:
        click.echo(f"FAULT: {one}")
    click.echo(f"seed {seed}: {'nothing leaked, nobody lied' if not found else 'FAILED'}")
    return not found


async def timings(proxy: Proxy, began: tuple[float, float], seconds: float) -> dict[str, str]:
    """How fast nodes were freed whose clients left, and how much CPU time the machine gave."""
    used, waited = (now - then for now, then in zip(proxy.processor(), began, strict=True))
    return {
        "cancels within, seconds: 99 %, all": await proxy.seconds("casedesk_cancel_seconds"),
        "loop late by, seconds: 99 %, all": await proxy.seconds("casedesk_loop_lag_seconds"),
        "share of time on a processor": f"{used / seconds:.0%}",
        "share of time ready and without one": f"{waited / seconds:.0%}",
    }


def report(
    before: Left, after: Left, ends: Counter[str], tally: Tally, more: dict[str, str]
) -> None:
    table = Table("what", "how often", title="As clients saw it, and as the proxy ended it")
    for name, count in tally.seen.most_common():
        table.add_row(name, str(count))
    table.add_section()
    for name, count in ends.most_common():
        table.add_row(f"end={name}", str(count))
    table.add_section()
    for name, text in more.items():
        table.add_row(name, text)
    table.add_row("failovers that are remembered", str(len(after.status["failovers"])))
    table.add_row("file descriptors at rest", f"{before.descriptors} → {after.descriptors}")
    table.add_row("private memory at rest, KB", f"{before.memory} → {after.memory}")
    Console().print(table)


def report_samples(samples: Samples) -> None:
    table = Table(
        "from second", "median KB", "most KB", "most descriptors",
        title="Private memory while it ran",
    )  # fmt: skip
    for began, median, most, descriptors in samples.parts():
        table.add_row(f"{began:.0f}", str(median), str(most), str(descriptors))
    Console().print(table)


@click.command(help=__doc__)
@click.option("-n", "--clients", default=500, show_default=True)
@click.option("--nodes", default=4, show_default=True)
@click.option("-t", "--seconds", default=180.0, show_default=True)
@click.option("--seed", default=None, type=int, help="Repeat what was found.  [default: random]")
def main(clients: int, nodes: int, seconds: float, seed: int | None) -> None:
    chosen = random.randrange(10**6) if seed is None else seed
    # The simulated nodes log thousands of messages about clients that left and about being killed.
    logging.disable(logging.ERROR)
    sys.exit(0 if asyncio.run(run(clients, nodes, seconds, chosen)) else 1)


if __name__ == "__main__":
    main()
