#!/usr/bin/env python3
"""The effect of a reload with many https nodes on streams: the longest rounds of the daemon's loop.

python bench/reload.py                        # 20 https nodes, 100 streams, 30 reloads
python bench/reload.py --nodes 50 --changed   # every node's certificates are read again

In CPU time of the loop's thread, which other programs do not change, and by the clock, which
includes the time for which the thread that reads the file holds the interpreter. The exit code is 1
if more than one round of a thousand took longer than 5 ms of CPU.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from casedesk_proxy.simulator.app import start
from casedesk_proxy.simulator.script import Script

_ROOT = Path(__file__).resolve().parent.parent

#: The share of the loop's rounds that may be longer than a stall in bench/beat.py.
_SHARE = 0.001
_AUTHORITY = "/etc/ssl/certs/ca-certificates.crt"
#: Nothing listens there: the nodes are configured and never used.
_NODE = "{{url: 'https://127.0.0.1:1', engine: openai, models: [m], probe_interval: 0s{more}}}"
_CONFIG = """
server: {{listen: "127.0.0.1:0", admin: null, access_log: false}}
default_deployment: d
nodes:
  live: {{url: "{url}", engine: openai, models: [m], max_streams: 10000}}
{nodes}
deployments:
  d: {{auth: none, nodes: [live]}}
  spare: {{auth: none, nodes: [{names}]}}
"""
_BODY = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]}'
_REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: b\r\nContent-Length: %d\r\n\r\n%b" % (
    len(_BODY),
    _BODY,
)


def write(file: Path, url: str, nodes: int, turn: int, *, changed: bool) -> None:
    """A configuration that differs by turn in a weight; ``changed``: also in the authority of each
    node."""
    tls = f", tls: {{ca: '{_AUTHORITY}'}}" if changed and turn % 2 else ""
    more = f", weight: {turn % 2 + 1}{tls}"
    names = [f"n{number}" for number in range(nodes)]
    listed = "\n".join(f"  {name}: {_NODE.format(more=more)}" for name in names)
    file.write_text(_CONFIG.format(url=url, nodes=listed, names=", ".join(names)))


class Daemon:
    """``port``: where it serves."""

    def __init__(self, process: Process, port: int) -> None:
        self._process = process
        self.port = port

    async def take(self) -> dict[str, Any]:
        """What its loop did since the last call, see bench/beat.py."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"?\n")
        told: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return told

    async def reload(self) -> None:
        assert self._process.stderr is not None
        self._process.send_signal(signal.SIGHUP)
        while line := await self._process.stderr.readline():
            if b"configuration refused" in line:
                raise click.ClickException(line.decode())
            if b"configuration reloaded" in line:
                return
        raise click.ClickException("the daemon ended")


@asynccontextmanager
async def serving(file: Path) -> AsyncIterator[Daemon]:
    words = (sys.executable, "-m", "bench.beat", str(file))
    process = await asyncio.create_subprocess_exec(
        *words, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=_ROOT
    )
    assert process.stdout is not None
    try:
        yield Daemon(process, json.loads(await process.stdout.readline())["port"])
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.kill()
        await process.wait()


async def read_streams(port: int) -> None:
    """One stream after the other."""
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(_REQUEST)
            while (await reader.readline()) not in (b"0\r\n", b""):
                pass
        finally:
            writer.close()


async def measure(
    nodes: int, streams: int, reloads: int, *, changed: bool = False, rest_s: float = 3.0
) -> dict[str, dict[str, Any]]:
    """While idle, and while it reloads."""
    node = await start(models={"m": Script(words=200, words_per_second=20)})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        write(file, node.url, nodes, 0, changed=changed)
        async with serving(file) as daemon:
            clients = [asyncio.ensure_future(read_streams(daemon.port)) for _ in range(streams)]
            try:
                await asyncio.sleep(rest_s / 3)
                await daemon.take()
                await asyncio.sleep(rest_s)
                found = {"at rest": await daemon.take()}
                for turn in range(reloads):
                    write(file, node.url, nodes, turn + 1, changed=changed)
                    await daemon.reload()
                found["reloading"] = await daemon.take()
            finally:
                for client in clients:
                    client.cancel()
                ends = await asyncio.gather(*clients, return_exceptions=True)
    await node.stop()
    broken = [one for one in ends if not isinstance(one, asyncio.CancelledError)]
    if broken:
        raise click.ClickException(f"{len(broken)} clients lost a stream: {broken[0]!r}")
    return found


@click.command()
@click.option("--nodes", default=20, show_default=True, help="That speak https.")
@click.option("--streams", default=100, show_default=True, help="20 events per second each.")
@click.option("--reloads", default=30, show_default=True, help="One after the other.")
@click.option("--changed", is_flag=True, help="Change each node's authority, too.")
def main(nodes: int, streams: int, reloads: int, changed: bool) -> None:
    """Measure the longest rounds of the loop while a configuration with https nodes is reloaded."""
    found = asyncio.run(measure(nodes, streams, reloads, changed=changed))
    for name, told in found.items():
        click.echo(
            f"{name:10} {told['rounds']:6} rounds, {told['stalls']} above 5 ms of CPU;"
            f" longest {told['stall']:.1f} ms of CPU, {told['late']:.1f} ms late by the clock"
        )
    reloading = found["reloading"]
    raise click.exceptions.Exit(1 if reloading["stalls"] > reloading["rounds"] * _SHARE else 0)


if __name__ == "__main__":
    main()
