#!/usr/bin/env python3
"""Whether the ledger and limits are correct: compares the nodes' own counts with the file, while
clients leave, nodes die, and the proxy is killed and restarted repeatedly.

python bench/ledger.py                        # 20 000 requests, 20 times kill -9
python bench/ledger.py -n 2000 --kills 3 --clients 20

A node checks before each word whether its client is there: llama-server and Ollama notice it as
soon. It counts what it has generated. Each request is compared by its id. "lost" are requests that
their node finished and that have no row: the proxy had not written them when it was killed, at most
0.2 s of its work.

A third of the requests use keys with a small limit of tokens a month, one after the other, each
until some of its requests were refused. All others use keys with unreachable limits, which allow
twice as many parallel requests as they have clients: each 429 for them is wrong.

The exit code is 1 if a whole exchange has other counts than its node's, the sum of cut ones differs
by more than 2 %, more rows are lost than a kill may lose, a 429 is wrong, or a key has used more
than its limit plus the most that its parallel requests could use.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
import select
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
  d: {{nodes: [{names}]}}
keys:
{keys}
"""
KEY_LINE = "  - {{name: {name}, sha256: {digest}, deployments: [d], limits: {limits}}}"
WIDE = (
    "{requests_per_minute: 1000000000, tokens_per_minute: 1000000000, tokens_per_day: 1000000000,"
    " tokens_per_month: 1000000000, parallel: %d, over_parallel: refuse}"
)
NARROW = "{tokens_per_month: %d, parallel: %d}"
NARROW_TOKENS = 10_000
NARROW_PARALLEL = 4
#: After so many refusals clients use the next narrow key.
REFUSALS = 10
#: Clients with one wide key, and clients with one narrow key after the other.
WIDE_CLIENTS, NARROW_CLIENTS = 10, 6
MOST_WORDS = 60
MOST_PAD_CHARS = 400
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
MOST_CUT_SHARE = 0.02
#: Seconds of work that a kill may lose.
MOST_LOST_S = 0.2
NODES_COUNT = 3
#: Seconds for which a node that dies is away.
AWAY_S = 0.3
PROMPT_TOKENS = 9
#: Tokens of the largest request.
MOST_TOKENS = PROMPT_TOKENS + MOST_PAD_CHARS // 4 + MOST_WORDS
#: The most tokens that running requests can use beyond a limit that is reached.
MOST_BEYOND = NARROW_PARALLEL * MOST_TOKENS


@dataclass
class Counted:
    """What a node counted of one request."""

    prompt: int
    output: int = 0
    finished: bool = False

    @property
    def tokens(self) -> int:
        return self.prompt + self.output


@dataclass
class Counters:
    by_id: dict[str, Counted] = field(default_factory=dict)


@dataclass
class Key:
    """A client's key, and the results of its requests."""

    name: str
    #: Tokens; None: unreachable.
    limit: int | None = None
    asked: list[str] = field(default_factory=list)
    refused: int = 0
    false_refusals: int = 0

    @property
    def text(self) -> str:
        return f"cdp-{self.name}"

    def used(self, counters: Counters) -> int:
        """Tokens, as the nodes counted them."""
        return sum(counters.by_id[one].tokens for one in self.asked if one in counters.by_id)

    def note_refusal(self, counters: Counters) -> None:
        self.refused += 1
        most = None if self.limit is None else self.limit * (1 - MOST_CUT_SHARE)
        self.false_refusals += most is None or self.used(counters) < most


def chunk(value: object) -> bytes:
    data = b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


def delta(**fields: object) -> bytes:
    return chunk({"choices": [{"index": 0, "delta": fields, "finish_reason": None}]})


async def play_node(
    counters: Counters, pace: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answers with as many words as requested; dies if requested."""
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
            told = counters.by_id[lines["x-request-id"]] = Counted(
                PROMPT_TOKENS + len(asked["pad"]) // 4
            )
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
        if has_left(writer) or told.output == (dies or -1):
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


def has_left(writer: asyncio.StreamWriter) -> bool:
    """Whether the other side has closed: asked of the kernel, since this process's loop, which runs
    all clients and nodes, may notice it many words later."""
    if writer.transport.is_closing():
        return True
    poll = select.poll()
    poll.register(writer.get_extra_info("socket"), select.POLLRDHUP)
    return bool(poll.poll(0))


def find_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def start_proxy(file: Path, port: int, **environment: str) -> asyncio.subprocess.Process:
    """The daemon, once it listens. Ends the script if it ends first."""
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


class Node:
    """Listens on one port, and can die: it is away for a while, and all its streams are cut."""

    def __init__(self, counters: Counters, pace: float) -> None:
        self._counters = counters
        self._pace = pace
        self._port = find_port()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._play, "127.0.0.1", self._port)

    def end(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await play_node(self._counters, self._pace, reader, writer)
        finally:
            self._writers.discard(writer)


class Proxy:
    """The daemon, restarted whenever it ends."""

    def __init__(self, folder: Path, urls: list[str], keys: list[Key], parallel: int) -> None:
        self.port = find_port()
        names = [f"n{number}" for number in range(len(urls))]
        nodes = "\n".join(
            f'  {name}: {{url: "{url}", engine: openai, models: [m], probe_interval: 0}}'
            for name, url in zip(names, urls, strict=True)
        )
        lines = "\n".join(_write_key(key, parallel) for key in keys)
        self.state = folder / "state"
        self._file = folder / "config.yaml"
        self._file.write_text(
            CONFIG.format(
                port=self.port, state=self.state, nodes=nodes, names=", ".join(names), keys=lines
            )
        )
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await start_proxy(self._file, self.port)

    async def end(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        await self._process.wait()


def _write_key(key: Key, parallel: int) -> str:
    limits = WIDE % parallel if key.limit is None else NARROW % (key.limit, NARROW_PARALLEL)
    digest = hashlib.sha256(key.text.encode()).hexdigest()
    return KEY_LINE.format(name=key.name, digest=digest, limits=limits)


async def ask(port: int, ident: str, key: str, chance: random.Random) -> int:
    """The status of one request's reply, 0 without one; some clients leave, and some nodes are made
    to die."""
    words, kind = chance.randint(3, MOST_WORDS), chance.random()
    # Each has all fields: a node counts the prompt only by its padding.
    asked: dict[str, object] = {"model": "m", "max_tokens": words, "messages": [], "dies": 0}
    asked["pad"] = "x" * chance.randint(0, MOST_PAD_CHARS)
    if kind > 0.3:
        asked["stream"] = True
    if 0.3 < kind < 0.4:
        asked["dies"] = chance.randint(1, words)
    body = json.dumps(asked).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        f"Authorization: Bearer {key}\r\nx-request-id: {ident}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    status = 0
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            break
        except OSError:
            # The proxy has just been killed.
            await asyncio.sleep(0.05)
    try:
        writer.write(head.encode() + body)
        left = chance.randint(1, 80 * words) if 0.4 < kind < 0.6 else -1
        while data := await reader.read(4096):
            status = status or int(data.split(b" ", 2)[1])
            left -= len(data) if left > 0 else 0
            if left == 0 or left < -1:
                break
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return status


@dataclass
class Verdict:
    """Sums over all requests that reached a node."""

    whole: int = 0
    wrong: int = 0
    cut: int = 0
    cut_told: int = 0
    cut_entered: int = 0
    #: The sum of the differences of all cut exchanges, without their signs.
    cut_apart: int = 0
    lost: int = 0
    lost_cut: int = 0
    twice: int = 0
    #: Narrow keys that were refused, and their refusals.
    reached: int = 0
    refused: int = 0
    false_refusals: int = 0
    #: Tokens beyond a key's limit: the most of all keys, by the ledger and by the nodes.
    beyond: int = 0
    beyond_told: int = 0
    #: The whole time, from the first request to the last.
    seconds: float = 0.0

    @property
    def share(self) -> float:
        return abs(self.cut_entered - self.cut_told) / max(self.cut_told, 1)

    def fails(self, kills: int) -> bool:
        most_lost = kills * MOST_LOST_S * (self.whole + self.lost) / max(self.seconds, MOST_LOST_S)
        wrong = self.wrong or self.twice or self.share > MOST_CUT_SHARE or self.false_refusals
        return bool(wrong) or self.lost > most_lost or self.beyond > MOST_BEYOND


def judge(file: Path, counters: Counters, keys: list[Key]) -> Verdict:
    connection = sqlite3.connect(file)
    rows = connection.execute(
        "SELECT request, ending, prompt, output FROM exchanges WHERE status != 429"
    ).fetchall()
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
            mine = (prompt or 0) + (output or 0)
            verdict.cut_told += told.tokens
            verdict.cut_entered += mine
            verdict.cut_apart += abs(mine - told.tokens)
    for key in keys:
        verdict.false_refusals += key.false_refusals
        verdict.refused += key.refused
        if key.limit is None:
            continue
        used = sum(
            (prompt or 0) + (output or 0)
            for one in key.asked
            for _, prompt, output in [entered.get(one, (None, 0, 0))]
        )
        verdict.reached += key.refused > 0
        verdict.beyond = max(verdict.beyond, used - key.limit)
        verdict.beyond_told = max(verdict.beyond_told, key.used(counters) - key.limit)
    return verdict


class Run:
    """Clients, nodes, and a proxy between them."""

    def __init__(self, requests: int, clients: int, folder: Path, pace: float, seed: int) -> None:
        self.counters = Counters()
        self.done = 0
        self._chance = random.Random(seed)
        self._numbers = iter(range(requests))
        self.nodes = [Node(self.counters, pace) for _ in range(NODES_COUNT)]
        groups = clients // 3 // NARROW_CLIENTS
        wide = clients - groups * NARROW_CLIENTS
        self._wide = [Key(f"wide{number}") for number in range(-(-wide // WIDE_CLIENTS))]
        # As many as would be needed if their clients only got refusals.
        most = requests * groups * NARROW_CLIENTS // clients // REFUSALS
        self._narrow = [
            Key(f"narrow{number}", NARROW_TOKENS)
            for number in range(min(most, requests * 30 // NARROW_TOKENS + groups))
        ]
        self.keys = self._wide + self._narrow
        urls = [node.url for node in self.nodes]
        self.proxy = Proxy(folder, urls, self.keys, 2 * WIDE_CLIENTS)
        self._unused = iter(self._narrow)
        self._clients = [self._ask_wide(number) for number in range(wide)]
        for _ in range(groups):
            narrow = [next(self._unused, self._wide[0])]
            self._clients += [self._ask_narrow(narrow) for _ in range(NARROW_CLIENTS)]

    async def ask_all(self) -> None:
        await asyncio.gather(*self._clients)

    async def _ask_wide(self, client: int) -> None:
        key = self._wide[client // WIDE_CLIENTS]
        for number in self._numbers:
            await self._ask(number, key)

    async def _ask_narrow(self, current: list[Key]) -> None:
        """``current``: the key that several clients use, as a list of one."""
        for number in self._numbers:
            if current[0].refused >= REFUSALS:
                current[0] = next(self._unused, self._wide[0])
            await self._ask(number, current[0])

    async def _ask(self, number: int, key: Key) -> None:
        ident = f"request{number}"
        key.asked.append(ident)
        if await ask(self.proxy.port, ident, key.text, self._chance) == 429:
            key.note_refusal(self.counters)
        self.done += 1

    async def disturb(self, requests: int, kills: int) -> None:
        """Kill the proxy that often, end it half as often by SIGTERM, and a node between each."""
        signals = [signal.SIGKILL, signal.SIGTERM, signal.SIGKILL] * kills
        signals = signals[: kills + kills // 2]
        for turn, number in enumerate(signals, 1):
            await self._wait(turn * requests // (len(signals) + 1))
            await self.proxy.end(number)
            await self.proxy.start()
            await self._wait((2 * turn + 1) * requests // (2 * len(signals) + 2))
            node = self.nodes[turn % NODES_COUNT]
            node.end()
            await asyncio.sleep(AWAY_S)
            await node.start()

    async def _wait(self, requests: int) -> None:
        while self.done < requests:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def run(requests: int, clients: int, kills: int, pace: float, seed: int) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="casedesk-ledger-") as folder:
        this = Run(requests, clients, Path(folder), pace, seed)
        for node in this.nodes:
            await node.start()
        await this.proxy.start()
        began = time.monotonic()
        with Progress(*Progress.get_default_columns(), TimeRemainingColumn()) as progress:
            task = progress.add_task("requests", total=requests)

            async def show() -> None:
                while not progress.finished:
                    progress.update(task, completed=this.done)
                    await asyncio.sleep(0.5)

            await asyncio.gather(this.ask_all(), this.disturb(requests, kills), show())
        seconds = time.monotonic() - began
        await this.proxy.end(signal.SIGTERM)
        verdict = judge(this.proxy.state / "state.db", this.counters, this.keys)
        verdict.seconds = seconds
        for node in this.nodes:
            node.end()
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
    apart = 100 * verdict.cut_apart / max(verdict.cut_told, 1)
    table.add_row("cut, each by itself", "", "", "", f"{apart:.2f} %")
    lost = f"{verdict.lost:,} whole, {verdict.lost_cut:,} cut"
    table.add_row("lost with a kill", lost, "", "", f"{kills} kills")
    table.add_row("twice", f"{verdict.twice:,}", "", "", "")
    Console().print(table)
    limits = Table("keys that reached their limit", "their 429", "false 429", "most beyond it",
                   "bound", "by nodes' counts")  # fmt: skip
    limits.add_row(
        f"{verdict.reached:,}", f"{verdict.refused:,}", f"{verdict.false_refusals:,}",
        f"{verdict.beyond:,}", f"{MOST_BEYOND:,}", f"{verdict.beyond_told:,}",
    )  # fmt: skip
    Console().print(limits)
    Console().print(f"{verdict.seconds:.0f} s")
    sys.exit(1 if verdict.fails(kills) else 0)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
