#!/usr/bin/env python3
"""Two instances compared with one: how clients are distributed, whether slots and queues are
shared, what a killed instance leaves, and the cost of replies and events.

python -m bench.instances                     # the table of README.md, in about a minute

The instances inherit one listening socket, as under systemd (see restart.py), and share a
directory, or, for comparison, none. Replies a second depend on the machine: with fewer than four
free cores, node and clients use the CPU that a second instance would have. So CPU per reply and
event is given, too, and the throughput if each instance had a core, which the busiest instance
limits. They are measured once the instances are at rest, since each starts the parent of its
planners after three seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.accounts import cpu_ns
from bench.engine.build import build
from bench.engine.clients import Request, Snapshot, load_command
from bench.engine.process import child, read_port
from bench.priority import precedence
from bench.rest import wait_for_rest
from bench.restart import Instance, Supervisor
from bench.script import with_nice
from bench.target import PATH, UNARY_BODY
from casedesk_proxy.simulator.app import start as start_node
from casedesk_proxy.simulator.script import Script

_SLOTS, _CLIENTS, _PLACES = 50, 90, 44
_BURSTS = 10
#: Clients of each instance while replies and streams are measured: with fewer of them an instance
#: finds fewer events whenever it wakes, and each costs more.
_ASKING, _STREAMING = 32, 200
#: Seconds of load before the first that is measured.
_WARM_S = 0.5
CONFIG = """
server: {{admin: null, access_log: false, drain_timeout: 10m}}
default_deployment: d
nodes: {{n: {{url: "{url}", engine: openai, models: [m, bench], max_streams: {slots}}}}}
deployments: {{d: {{auth: none, nodes: [n], max_waiting: {places}}}}}
"""


class Host:
    """Instances on one socket, ``shared`` or each separate."""

    def __init__(self, folder: Path, url: str, *, slots: str, shared: bool) -> None:
        self.supervisor = Supervisor(folder, url, shared=shared)
        self.supervisor.file.write_text(CONFIG.format(url=url, slots=slots, places=_PLACES))
        self.instances: list[Instance] = []

    async def start(self, count: int) -> None:
        for _ in range(count):
            self.instances.append(await self.supervisor.start())

    def wait_for(self, clients: int) -> list[int]:
        """The number of clients of each, once there are so many."""
        while sum(found := self.connections()) < clients:
            time.sleep(0.01)
        return found

    def wait_for_rest(self) -> None:
        wait_for_rest([instance.pid for instance in self.instances], time.monotonic())

    def stop(self) -> None:
        for instance in self.instances:
            instance.kill()

    def connections(self) -> list[int]:
        """The number of clients of each."""
        sockets = [_sockets(instance.pid) for instance in self.instances]
        port = self.supervisor.port
        return [sum(local == port for local in ports) for ports in sockets]


def _sockets(pid: int) -> list[int]:
    """Local ports of a process's established connections."""
    inodes = set()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(one))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [
        int(row[1].rpartition(":")[2], 16)
        for row in rows
        if row[3] == "01" and f"socket:[{row[9]}]" in inodes
    ]


async def ask(port: int, script: str, got: asyncio.Event | None = None) -> int:
    """The status of a reply that is read to its end; 0 if it broke."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(
        {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Count."}]}
    ).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: b\r\nConnection: close\r\n"
        f"x-goog-simulator: {script}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + body)
        status = int((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
        while data := await reader.read(65536):
            if got is not None and b"data" in data:
                got.set()
        return status
    except (OSError, asyncio.IncompleteReadError):
        return 0
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def held(port: int, count: int, *, at_once: bool) -> AsyncIterator[None]:
    """Streams that are open at the same time, begun one after the other or together."""
    tasks = []
    for _ in range(count):
        began = asyncio.Event()
        tasks.append(asyncio.ensure_future(ask(port, "words=9000&words_per_second=1", began)))
        if not at_once:
            await began.wait()
    if at_once:
        await asyncio.sleep(5)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def spread(host: Host) -> Sequence[str]:
    found = []
    for at_once in (False, True):
        async with held(host.supervisor.port, 200, at_once=at_once):
            found.append(" / ".join(map(str, sorted(host.connections()))))
        await asyncio.sleep(2)
    return found


async def bursts(host: Host) -> str:
    """How many of 200 clients that connect within a few milliseconds one instance has at least, in
    the worst of some bursts and in the median."""
    fewest = []
    for _ in range(_BURSTS):
        clients = [socket.socket() for _ in range(200)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", host.supervisor.port))
        fewest.append(min(await asyncio.to_thread(host.wait_for, 200)))
        for client in clients:
            client.close()
        await asyncio.sleep(0.5)
    return f"{min(fewest)}, {sorted(fewest)[_BURSTS // 2]}"


async def crowd(host: Host) -> str:
    """As many clients at once as a node's slots and half of the places in its queue."""
    script = "words=5&words_per_second=5"
    statuses = Counter(
        await asyncio.gather(*(ask(host.supervisor.port, script) for _ in range(_CLIENTS)))
    )
    return ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))


async def killed(host: Host) -> str:
    """Milliseconds from the SIGKILL of an instance that has all slots to the first reply of a
    request that waits at another one."""
    victim = host.instances[0]
    port = host.supervisor.port
    async with held(port, _SLOTS, at_once=False):
        waiting = [asyncio.ensure_future(ask(port, "words=1")) for _ in range(10)]
        await asyncio.sleep(2)
        began = time.perf_counter()
        victim.kill()
        host.instances.remove(victim)
        pending = set(waiting)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if any(one.result() == 200 for one in done):
                break
        took = (time.perf_counter() - began) * 1000
        for one in pending:
            one.cancel()
    return f"{took:.0f}"


@dataclass(frozen=True)
class Cost:
    """Replies or events a ``second``, CPU µs of all instances for each, the ``share`` of the
    busiest instance in that, and how many ``clients`` each had."""

    second: float
    us: float
    share: float
    clients: str


def cost(host: Host, folder: Path, *, unary: bool, seconds: float) -> Cost:
    request = Request("127.0.0.1", host.supervisor.port, PATH, {}, UNARY_BODY)
    if not unary:
        body = json.dumps({"model": "bench", "stream": True, "messages": []}).encode()
        request = Request("127.0.0.1", host.supervisor.port, PATH, {}, body)
    clients = (_ASKING if unary else _STREAMING) * len(host.instances)
    flags = ["--streams", str(clients), "--seconds", str(seconds)]
    command = load_command(build().load, request, folder, *(["--unary"] if unary else []), *flags)
    before = [cpu_ns(one.pid) for one in host.instances]
    began = time.monotonic()
    with child(build().tether, command, log=folder / "load.log", piped=True) as process:
        assert process.stdout is not None
        time.sleep(seconds * 0.8)
        spread = " / ".join(map(str, sorted(host.connections())))
        told = Snapshot.of(process.stdout.readline())
    took = time.monotonic() - began
    spent = [cpu_ns(one.pid) - then for one, then in zip(host.instances, before, strict=True)]
    count = told["finished"] if unary else told["events"]
    us = sum(spent) / 1000 / max(count, 1)
    return Cost(count / took, us, max(spent) / max(sum(spent), 1), spread)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


async def _behaviour(count: int, *, shared: bool) -> str:
    node = await start_node(pace=0, models={"m": Script(words=3)})
    cells = []
    try:
        for slots, work in (
            ("null", spread),
            ("null", bursts),
            (str(_SLOTS), crowd),
            (str(_SLOTS), killed),
        ):
            if work is killed and (count == 1 or not shared):
                cells.append("–")
                continue
            with _folder() as folder:
                host = Host(folder, node.url, slots=slots, shared=shared)
                try:
                    await host.start(count)
                    found = await work(host)
                    cells += [found] if isinstance(found, str) else list(found)
                finally:
                    host.stop()
    finally:
        await node.stop()
    return f"| {count}{'' if shared else ', nothing shared'} | {' | '.join(cells)} |"


async def _cost(count: int, seconds: float, one: list[float]) -> str:
    """``one``: the cost of a reply and an event for a single instance; filled if it is empty."""
    engines, cells, taken = build(), [], []
    with _folder() as folder, ExitStack() as stack:
        node = stack.enter_context(
            child(engines.tether, [str(engines.node)], log=folder / "node.log", piped=True)
        )
        host = Host(folder, f"http://127.0.0.1:{read_port(node)}", slots="null", shared=True)
        try:
            await host.start(count)
            await asyncio.to_thread(cost, host, folder, unary=True, seconds=_WARM_S)
            await asyncio.to_thread(host.wait_for_rest)
            for unary in (True, False):
                found = await asyncio.to_thread(cost, host, folder, unary=unary, seconds=seconds)
                taken.append(found.us)
                times = (one[len(taken) - 1] if one else found.us) / found.us / found.share
                cells += [f"{found.second:.0f}", f"{found.us:.1f}", f"{found.share:.2f}"]
                cells += [found.clients, f"{times:.2f}"]
        finally:
            host.stop()
    one[:] = one or taken
    return f"| {count} | {' | '.join(cells)} |"


@click.command()
@click.option("--seconds", default=3.0, show_default=True, help="Of each load.")
@with_nice
def main(seconds: float, nice: int) -> None:
    # Clients leave in the middle of replies, about which the node would log messages.
    logging.disable()
    with precedence(nice):
        _measure(seconds)


def _measure(seconds: float) -> None:
    click.echo(
        "| instances | 200 clients one by one | 200 at once"
        " | fewest of 200 in ten bursts: worst, median"
        f" | {_CLIENTS} clients, {_SLOTS} slots, {_PLACES} places | ms from kill −9 to a reply |\n"
        "|---|---|---|---|---|---|"
    )
    for count, shared in ((1, True), (2, False), (2, True)):
        click.echo(asyncio.run(_behaviour(count, shared=shared)))
    click.echo(
        "\n| instances | replies/s | CPU µs/reply | largest share | clients"
        " | × one, a core each | events/s | CPU µs/event | largest share | clients"
        " | × one, a core each |\n|---|---|---|---|---|---|---|---|---|---|---|"
    )
    one: list[float] = []
    for count in (1, 2):
        click.echo(asyncio.run(_cost(count, seconds, one)))


if __name__ == "__main__":
    main()
