#!/usr/bin/env python3
"""Crowds: thousands of clients arrive within a second, leave at once, or lose their node at once.

python -m bench.crowds                       # 9,000 streams; 5,000 at the node that dies
python -m bench.crowds -n 2000 --dying 1000

Beside them 40 streams of 50 events a second. Reported are the longest round of the proxy's loop in
CPU time (which other programs do not change), the delay of events of the 40 streams, and the time
until all exchanges have ended.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.beat import count_streams, look
from bench.engine.build import Engines
from bench.engine.clients import Request, Snapshot, ask, load_command
from bench.engine.process import EngineFailed, child, read_line, read_port
from bench.priority import precedence
from bench.script import running, with_nice

CONFIG = """
server: {{listen: "127.0.0.1:{port}", admin: null, access_log: {log}}}
default_deployment: d
nodes:
  crowd: {{url: "http://127.0.0.1:{crowd}", engine: openai, models: [crowd], max_streams: 20000}}
  calm: {{url: "http://127.0.0.1:{calm}", engine: openai, models: [calm]}}
deployments: {{d: {{auth: none, nodes: [crowd, calm], max_waiting: 20000}}}}
"""
BODY = '{"model":"%s","stream":true,"messages":[{"role":"user","content":"x"}]}'
INNOCENT = 40
#: Seconds without further events.
_LOOK_S = 2.0


@dataclass(frozen=True)
class Sizes:
    streams: int
    dying: int
    rate: float
    arrivals: float
    log: bool


@dataclass
class Scene:
    engines: Engines
    folder: Path
    port: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def node(self, *flags: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
        command = [str(self.engines.node), *flags]
        with child(self.engines.tether, command, piped=True) as process:
            yield process, read_port(process)

    @contextmanager
    def clients(self, model: str, *flags: str) -> Iterator[subprocess.Popen[str]]:
        headers = {"Content-Type": "application/json"}
        body = (BODY % model).encode()
        request = Request("127.0.0.1", self.port, "/v1/chat/completions", headers, body)
        command = load_command(self.engines.load, request, self.folder, "--control", *flags)
        with child(self.engines.tether, command, piped=True) as process:
            yield process


@contextmanager
def proxy(scene: Scene, crowd: int, calm: int, *, log: bool) -> Iterator[subprocess.Popen[str]]:
    file = scene.folder / "proxy.yaml"
    file.write_text(CONFIG.format(port=0, crowd=crowd, calm=calm, log=str(log).lower()))
    command = [sys.executable, "-m", "bench.beat", str(file)]
    log_file = scene.folder / "log"
    with child(scene.engines.tether, command, log=log_file, piped=True) as process:
        told = json.loads(read_line(process.stdout, process))
        scene.port = told["port"]
        yield process


def fill(load: subprocess.Popen[str], streams: int, limit: float) -> Snapshot:
    until = time.monotonic() + limit
    while (told := ask(load))["statuses"].get("200", 0) < streams:
        if time.monotonic() > until:
            raise EngineFailed(f"{streams} did not open: {told['statuses']} {told['errors']}")
        time.sleep(0.05)
    return told


def settle(proxy: subprocess.Popen[str], left: int, limit: float = 60) -> float:
    begun = time.monotonic()
    while (streams := count_streams(proxy)) > left:
        if time.monotonic() - begun > limit:
            raise EngineFailed(f"{streams} streams are left")
        time.sleep(0.1)
    return time.monotonic() - begun


@dataclass
class Watcher:
    """The proxy's rounds and the innocent streams, from one report to the next."""

    scene: Scene
    proxy: subprocess.Popen[str]
    innocent: subprocess.Popen[str]
    before: Snapshot = field(init=False)

    def begin(self) -> None:
        look(self.proxy)
        self.before = ask(self.innocent)

    def note(self, what: str, **more: Any) -> None:
        told, now = look(self.proxy), ask(self.innocent)
        added = now.histograms["added"].since(self.before.histograms["added"])
        row = {"what": what, **told, **more}
        for name, share in (("p99", 0.99), ("max", 1.0)):
            row[f"added_{name}"] = round((added.quantile(share) or 0) / 1e6, 2)
        self.scene.rows.append(row)
        click.echo(json.dumps(row))
        self.begin()


def play(scene: Scene, sizes: Sizes) -> None:
    with ExitStack() as stack:
        crowd_node, crowd = stack.enter_context(scene.node("--rate", str(sizes.rate)))
        _, calm = stack.enter_context(scene.node("--rate", "50"))
        process = stack.enter_context(proxy(scene, crowd, calm, log=sizes.log))
        flags = ("--streams", str(INNOCENT), "--batch-us", "0")
        innocent = stack.enter_context(scene.clients("calm", *flags))
        fill(innocent, INNOCENT, 20)
        watcher = Watcher(scene, process, innocent)
        watcher.begin()
        time.sleep(_LOOK_S)
        watcher.note("nothing happens")
        gather(scene, watcher, sizes.streams, sizes, lambda load: load, "clients left")
        gather(scene, watcher, sizes.dying, sizes, lambda _: crowd_node, "streams lost their node")


def gather(
    scene: Scene,
    watcher: Watcher,
    count: int,
    sizes: Sizes,
    victim: Callable[[subprocess.Popen[str]], subprocess.Popen[str]],
    what: str,
) -> None:
    """So many clients come, stay for a while, and end with the ``victim``."""
    flags = ("--streams", str(count), "--arrivals", str(sizes.arrivals), "--once")
    with scene.clients("crowd", *flags) as load:
        first = fill(load, count, 120).histograms["first_byte"].quantile(0.99) or 0
        watcher.note(f"{count} came", first_byte_p99=round(first / 1e6, 1))
        time.sleep(_LOOK_S)
        watcher.note(f"{count} streams")
        victim(load).send_signal(signal.SIGKILL)
        took = settle(watcher.proxy, INNOCENT)
        watcher.note(f"{count} {what}", took=round(took, 2))


@click.command(help=__doc__)
@click.option("-n", "--streams", default=9000, show_default=True)
@click.option("--dying", default=5000, show_default=True)
@click.option("--rate", default=1.0, show_default=True, help="Events a second and stream.")
@click.option("--arrivals", default=5000.0, show_default=True, help="New streams a second.")
@click.option("--log/--no-log", default=True, show_default=True, help="The access log.")
@with_nice
@click.option("--json", "kept", type=click.Path(path_type=Path), help="Where figures are kept.")
def main(kept: Path | None, nice: int, **sizes: Any) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with running() as (engines, _), tempfile.TemporaryDirectory(prefix="bench-") as name:
        scene = Scene(engines, Path(name))
        with precedence(nice):
            play(scene, Sizes(**sizes))
    if kept is not None:
        kept.write_text(json.dumps(scene.rows))


if __name__ == "__main__":
    main()
