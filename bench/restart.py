#!/usr/bin/env python3
"""What clients notice of a restart, of many reloads, of an upgrade, of a handover and of a killed
instance: every broken stream and refused connection is counted.

python bench/restart.py                       # the table of README.md, in about a minute
python bench/restart.py --streams 500 --storm 10

Replaces systemd: it holds the listening socket and passes it to each process (LISTEN_FDS), waits
for READY on a datagram socket, and ends processes with SIGTERM. "Restart" is one without a bridge;
"bridge" is a `systemctl restart` with one; in the last phase all streams of the killed instance
break, and nothing else may.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.priority import precedence
from bench.script import with_nice

NODE = """
import asyncio
from casedesk_proxy.simulator.app import start
from casedesk_proxy.simulator.script import Script
async def main():
    node = await start(pace=0, models={"m": Script(words=3)})
    print(node.url, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
#: Replaces itself with the daemon, with the socket where systemd puts it.
EXEC = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="public")
os.execv(sys.executable, [sys.executable, "-m", "casedesk_proxy", "serve", "--config", sys.argv[2]])
"""
CONFIG = """
server: {{admin: null, access_log: false, drain_timeout: 10m}}
default_deployment: d
nodes: {{n: {{url: "{url}", engine: openai, models: [m]}}}}
deployments: {{d: {{auth: none, nodes: [n]}}}}
"""
HEADINGS = """\
| during | streams | broken | failed connects | events late, p99 ms | short requests | p99 ms \
| longest ms |
|---|---|---|---|---|---|---|---|"""


class Supervisor:
    """Does systemd's part for the service. ``port`` is where clients connect; ``shared``: whether
    instances share slots and queues."""

    def __init__(self, folder: Path, node_url: str, *, shared: bool = True) -> None:
        self._folder = folder
        self._shared = {"CASEDESK_PROXY_INSTANCES": str(folder / "instances")} if shared else {}
        self.file = folder / "config.yaml"
        self.file.write_text(CONFIG.format(url=node_url))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self._listener.getsockname()[1]
        self._started = 0

    async def start(self) -> Instance:
        """A process that has sent READY."""
        self._started += 1
        place = self._folder / f"notify{self._started}"
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(place))
        notify.settimeout(300)
        instance = Instance(self._spawn(place), notify)
        await instance.hear("READY=1")
        return instance

    def _spawn(self, notify: Path) -> subprocess.Popen[bytes]:
        number = self._listener.fileno()
        return subprocess.Popen(
            [sys.executable, "-c", EXEC, str(number), str(self.file)],
            pass_fds=(number,),
            env={**os.environ, "NOTIFY_SOCKET": str(notify), **self._shared},
            stderr=subprocess.DEVNULL,
        )


class Instance:
    """A process and, by ``pid``, the one that has followed it in its service."""

    def __init__(self, process: subprocess.Popen[bytes], notify: socket.socket) -> None:
        self._process = process
        self._notify = notify
        self.pid = process.pid

    async def hear(self, word: str) -> str:
        """Its next message to its manager that contains the word."""
        while True:
            told = (await asyncio.to_thread(self._notify.recv, 4096)).decode()
            if word in told:
                return told

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    async def end(self, number: int = signal.SIGTERM) -> None:
        self.send(number)
        await asyncio.to_thread(self._process.wait)

    async def hand_over(self) -> None:
        """Wait until the predecessor has ended."""
        self.send(signal.SIGUSR2)
        told = await self.hear("MAINPID=")
        self.pid = int(re.findall(r"MAINPID=(\d+)", told)[0])
        await asyncio.to_thread(self._process.wait)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.send(signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._notify.close()


@dataclass
class Seen:
    """What the clients of one phase saw. Times in seconds."""

    whole: int = 0
    broken: int = 0
    refused: int = 0
    answered: int = 0
    late: list[float] = field(default_factory=list)
    short: list[float] = field(default_factory=list)


class Clients:
    """Streams one after the other, and short requests between them, until stopped."""

    def __init__(self, port: int, streams: int, rate: float, seconds: float) -> None:
        self._port, self._streams, self._rate = port, streams, rate
        self._words = max(int(rate * seconds), 5)
        self._stop = asyncio.Event()
        self.seen = Seen()

    async def run(self, phase: Awaitable[None]) -> Seen:
        """Streams begin before the phase and continue until it is over; all are read to their
        end."""
        tasks = [asyncio.ensure_future(self._stream(one)) for one in range(self._streams)]
        tasks += [asyncio.ensure_future(self._ask()) for _ in range(4)]
        await asyncio.sleep(1.5)
        await phase
        self._stop.set()
        await asyncio.gather(*tasks)
        return self.seen

    async def _stream(self, number: int) -> None:
        await asyncio.sleep(number / self._streams)
        while not self._stop.is_set():
            script = f"words={self._words}&words_per_second={self._rate}"
            arrivals: list[float] = []
            try:
                body = await self._exchange(script, arrivals, stream=True)
            except OSError:
                self.seen.refused += 1
                continue
            got = _words(body)
            if got == [str(one) for one in range(1, self._words + 1)] and b"[DONE]" in body:
                self.seen.whole += 1
            else:
                self.seen.broken += 1
            plan = [at - place / self._rate for place, at in enumerate(arrivals[: self._words])]
            self.seen.late += [one - min(plan) for one in plan] if plan else []

    async def _ask(self) -> None:
        while not self._stop.is_set():
            began = time.perf_counter()
            try:
                body = await self._exchange("words=3", [], stream=False)
                self.seen.answered += b'"1 2 3"' in body
                self.seen.broken += b'"1 2 3"' not in body
                self.seen.short.append(time.perf_counter() - began)
            except OSError:
                self.seen.refused += 1
            await asyncio.sleep(0.01)

    async def _exchange(self, script: str, arrivals: list[float], *, stream: bool) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        message = {"role": "user", "content": "Count."}
        payload = json.dumps({"model": "m", "stream": stream, "messages": [message]}).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: b\r\nConnection: close\r\n"
            f"x-goog-simulator: {script}\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        body = b""
        try:
            writer.write(head.encode() + payload)
            with contextlib.suppress(ConnectionError):
                await reader.readuntil(b"\r\n\r\n")
                while data := await reader.read(65536):
                    arrivals += [time.perf_counter()] * data.count(b'"delta":{"content"')
                    body += data
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()
        return body


def _words(body: bytes) -> list[str]:
    text = "".join(
        json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
        for line in body.split(b"\n")
        if line.startswith(b"data: {") and line.rstrip().endswith(b"}") and b'"choices"' in line
    )
    return text.split()


def _p99(values: list[float]) -> str:
    ordered = sorted(values)
    return f"{ordered[int(len(ordered) * 0.99)] * 1000:.1f}" if ordered else "–"


@contextlib.contextmanager
def _node() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-c", NODE], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


async def _measure(streams: int, rate: float, seconds: float, storm: float) -> bool:
    with tempfile.TemporaryDirectory() as folder, _node() as url:
        supervisor = Supervisor(Path(folder), url)
        process = await supervisor.start()
        running = [process]

        async def start() -> Instance:
            running.append(started := await supervisor.start())
            return started

        async def nothing() -> None:
            await asyncio.sleep(5)

        async def restart() -> None:
            nonlocal process
            await process.end()
            process = await start()

        async def bridged() -> None:
            nonlocal process
            bridge = await start()
            await process.end()
            process = await start()
            await bridge.end()

        async def reload() -> None:
            for _ in range(int(storm / 0.2)):
                process.send(signal.SIGHUP)
                await asyncio.sleep(0.2)

        async def upgrade() -> None:
            nonlocal process
            old, process = process, await start()
            await old.end()

        async def kill() -> None:
            nonlocal process
            old, process = process, await start()
            # Long enough for clients to reach both.
            await asyncio.sleep(seconds + 1)
            await old.end(signal.SIGKILL)
            await asyncio.sleep(seconds)

        clean = True
        phases: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("nothing", nothing), ("restart", restart), ("restart, bridged", bridged),
            (f"reload, 5/s for {storm:g} s", reload), ("upgrade", upgrade),
            ("kill −9 of one of two", kill), ("handover (SIGUSR2)", lambda: process.hand_over()),
        ]  # fmt: skip
        click.echo(HEADINGS)
        try:
            for name, phase in phases:
                seen = await Clients(supervisor.port, streams, rate, seconds).run(phase())
                clean = clean and not seen.refused and (phase is kill or not seen.broken)
                click.echo(
                    f"| {name} | {seen.whole + seen.broken} | {seen.broken} | {seen.refused} "
                    f"| {_p99(seen.late)} | {seen.answered} | {_p99(seen.short)} "
                    f"| {max(seen.short, default=0) * 1000:.0f} |"
                )
        finally:
            for instance in running:
                instance.kill()
    return clean


@click.command()
@click.option("-n", "--streams", default=100, show_default=True, help="Streams at a time.")
@click.option("--rate", default=20.0, show_default=True, help="Events per second and stream.")
@click.option("--seconds", default=4.0, show_default=True, help="Length of a stream.")
@click.option("--storm", default=30.0, show_default=True, help="Seconds of reloads.")
@with_nice
def main(streams: int, rate: float, seconds: float, storm: float, nice: int) -> None:
    """Exit code 1 when a stream broke or a connection was refused."""
    with precedence(nice):
        clean = asyncio.run(_measure(streams, rate, seconds, storm))
    raise click.exceptions.Exit(0 if clean else 1)


if __name__ == "__main__":
    main()
