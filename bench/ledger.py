#!/usr/bin/env python3
"""Whether the ledger is right: what nodes themselves counted beside what stands in the file, while
clients leave, nodes die, and the proxy is killed again and again.

python bench/ledger.py                        # 20 000 requests, 20 times kill -9
python bench/ledger.py -n 2000 --kills 3 --clients 20

Each request is compared by its id. "lost" are those that their node finished and that have no row:
what the proxy had not written when it was killed, 0.2 s of its work at most. The exit code is 1 if
a whole exchange has other counts than its node's, cut ones differ by more than 2 % in sum, or more
rows are lost than a kill may take.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, TimeRemainingColumn
from rich.table import Table

CONFIG = """
server: {{listen: "127.0.0.1:{port}", admin: null, access_log: false, state_directory: {state}}}
default_deployment: d
nodes:
{nodes}
deployments:
  d: {{auth: none, nodes: [{names}]}}
"""
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
MOST_CUT_SHARE = 0.02
#: Seconds of work that a kill may take with it.
MOST_LOST_S = 0.2
NODES_COUNT = 3


@dataclass
class Counted:
    """What a node counted of one request."""

    prompt: int
    output: int = 0
    finished: bool = False


@dataclass
class Counters:
    by_id: dict[str, Counted] = field(default_factory=dict)


def chunk(value: object) -> bytes:
    data = b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


def delta(**fields: object) -> bytes:
    return chunk({"choices": [{"index": 0, "delta": fields, "finish_reason": None}]})


async def play_node(
    counters: Counters, pace: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answers with as many words as it is asked for; dies where it is asked for that."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = dict(
                line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
            )
            body = await reader.readexactly(int(lines.get("content-length", 0)))
            if not body:
                listed = json.dumps({"data": [{"id": "m"}]}).encode()
                writer.write(_whole(listed))
                continue
            asked = json.loads(body)
            told = counters.by_id[lines["x-request-id"]] = Counted(9 + len(asked["pad"]) // 4)
            await _answer(asked, told, pace, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _whole(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


async def _answer(
    asked: dict[str, object], told: Counted, pace: float, writer: asyncio.StreamWriter
) -> None:
    words, dies = int(str(asked["max_tokens"])), int(str(asked.get("dies", 0)))
    if not asked.get("stream"):
        told.output = words
        usage = {"prompt_tokens": told.prompt, "completion_tokens": words}
        choice = {"index": 0, "message": {"content": "w"}, "finish_reason": "stop"}
        writer.write(_whole(json.dumps({"choices": [choice], "usage": usage}).encode()))
        await writer.drain()
        told.finished = True
        return
    writer.write(SSE + delta(role="assistant", content=""))
    for _ in range(words):
        await asyncio.sleep(pace)
        if writer.transport.is_closing() or told.output == (dies or -1):
            raise ConnectionError
        told.output += 1
        writer.write(delta(content="word"))
        await writer.drain()
    writer.write(chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
    if asked.get("stream_options"):
        usage = {"prompt_tokens": told.prompt, "completion_tokens": told.output}
        writer.write(chunk({"choices": [], "usage": usage}))
    writer.write(chunk(b"[DONE]") + b"0\r\n\r\n")
    await writer.drain()
    told.finished = True


def find_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def start_proxy(file: Path, port: int, **environment: str) -> asyncio.subprocess.Process:
    """The daemon, once it listens. Ends the script where it ends first."""
    command = [sys.executable, "-m", "casedesk_proxy", "serve", "--config", str(file)]
    process = await asyncio.create_subprocess_exec(
        *command, stderr=asyncio.subprocess.DEVNULL, env={**os.environ, **environment}
    )
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return process
        if process.returncode is not None:
            sys.exit(f"the proxy ended at once: casedesk-proxy check {file}")
        await asyncio.sleep(0.05)


class Proxy:
    """The daemon, as often as it takes."""

    def __init__(self, folder: Path, urls: list[str]) -> None:
        self.port = find_port()
        names = [f"n{number}" for number in range(len(urls))]
        nodes = "\n".join(
            f'  {name}: {{url: "{url}", engine: openai, models: [m], probe_interval: 0}}'
            for name, url in zip(names, urls, strict=True)
        )
        self.state = folder / "state"
        self._file = folder / "config.yaml"
        self._file.write_text(
            CONFIG.format(port=self.port, state=self.state, nodes=nodes, names=", ".join(names))
        )
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await start_proxy(self._file, self.port)

    async def end(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        await self._process.wait()


async def ask(port: int, ident: str, chance: random.Random) -> None:
    """One request; some clients leave, and some nodes are told to die."""
    words, kind = chance.randint(3, 60), chance.random()
    asked: dict[str, object] = {"model": "m", "max_tokens": words, "messages": []}
    asked["pad"] = "x" * chance.randint(0, 400)
    if kind > 0.3:
        asked["stream"] = True
    if 0.3 < kind < 0.4:
        asked["dies"] = chance.randint(1, words)
    body = json.dumps(asked).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        f"x-request-id: {ident}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except OSError:
            # It has just been killed.
            await asyncio.sleep(0.05)
    try:
        writer.write(head.encode() + body)
        left = chance.randint(1, 80 * words) if 0.4 < kind < 0.6 else -1
        while data := await reader.read(4096):
            left -= len(data) if left > 0 else 0
            if left == 0 or left < -1:
                return
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()


@dataclass
class Verdict:
    """Sums over all requests that reached a node."""

    whole: int = 0
    wrong: int = 0
    cut: int = 0
    cut_told: int = 0
    cut_entered: int = 0
    lost: int = 0
    lost_cut: int = 0
    twice: int = 0
    #: Of all work, from the first request to the last.
    seconds: float = 0.0

    @property
    def share(self) -> float:
        return abs(self.cut_entered - self.cut_told) / max(self.cut_told, 1)

    def fails(self, kills: int) -> bool:
        most_lost = kills * MOST_LOST_S * (self.whole + self.lost) / max(self.seconds, MOST_LOST_S)
        wrong = self.wrong or self.twice or self.share > MOST_CUT_SHARE
        return bool(wrong) or self.lost > most_lost


def judge(file: Path, counters: Counters) -> Verdict:
    connection = sqlite3.connect(file)
    rows = connection.execute("SELECT request, ending, prompt, output FROM exchanges").fetchall()
    connection.close()
    verdict = Verdict(twice=len(rows) - len({row[0] for row in rows}))
    entered = {row[0]: row[1:] for row in rows}
    for ident, told in counters.by_id.items():
        if ident not in entered:
            verdict.lost += told.finished
            verdict.lost_cut += not told.finished
            continue
        ending, prompt, output = entered[ident]
        if ending == "completed":
            verdict.whole += 1
            verdict.wrong += (prompt, output) != (told.prompt, told.output)
        else:
            verdict.cut += 1
            verdict.cut_told += told.prompt + told.output
            verdict.cut_entered += (prompt or 0) + (output or 0)
    return verdict


async def run(requests: int, clients: int, kills: int, pace: float, seed: int) -> Verdict:
    counters, chance = Counters(), random.Random(seed)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await play_node(counters, pace, reader, writer)

    servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for _ in range(NODES_COUNT)]
    urls = [f"http://127.0.0.1:{one.sockets[0].getsockname()[1]}" for one in servers]
    with tempfile.TemporaryDirectory(prefix="casedesk-ledger-") as folder:
        proxy = Proxy(Path(folder), urls)
        await proxy.start()
        numbers = iter(range(requests))
        due: asyncio.Queue[None] = asyncio.Queue()
        every = requests // (kills + 1)
        began = time.monotonic()
        with Progress(*Progress.get_default_columns(), TimeRemainingColumn()) as progress:
            task = progress.add_task("requests", total=requests)

            async def client() -> None:
                for number in numbers:
                    await ask(proxy.port, f"request{number}", chance)
                    progress.advance(task)
                    if number and number % every == 0:
                        due.put_nowait(None)

            async def kill() -> None:
                for _ in range(kills):
                    await due.get()
                    await proxy.end(signal.SIGKILL)
                    await proxy.start()

            killing = asyncio.create_task(kill())
            await asyncio.gather(*(client() for _ in range(clients)))
            await killing
        seconds = time.monotonic() - began
        await proxy.end(signal.SIGTERM)
        verdict = judge(proxy.state / "state.db", counters)
        verdict.seconds = seconds
    for server in servers:
        server.close()
    return verdict


@click.command()
@click.option("-n", "requests", default=20_000, show_default=True, help="Requests.")
@click.option("--clients", default=100, show_default=True, help="At once.")
@click.option("--kills", default=20, show_default=True, help="Times that the proxy is killed.")
@click.option("--pace", default=0.01, show_default=True, help="Seconds between a node's words.")
@click.option("--seed", default=1, show_default=True)
def main(requests: int, clients: int, kills: int, pace: float, seed: int) -> None:
    """Compare the ledger with the nodes' own counters under failures."""
    verdict = asyncio.run(run(requests, clients, kills, pace, seed))
    table = Table("", "exchanges", "nodes' tokens", "ledger's tokens", "difference")
    table.add_row("whole", f"{verdict.whole:,}", "", "", f"{verdict.wrong} wrong")
    table.add_row(
        "cut", f"{verdict.cut:,}", f"{verdict.cut_told:,}", f"{verdict.cut_entered:,}",
        f"{100 * verdict.share:.2f} %",
    )  # fmt: skip
    lost = f"{verdict.lost:,} whole, {verdict.lost_cut:,} cut"
    table.add_row("lost with a kill", lost, "", "", f"{kills} kills")
    table.add_row("twice", f"{verdict.twice:,}", "", "", "")
    Console().print(table)
    sys.exit(1 if verdict.fails(kills) else 0)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
