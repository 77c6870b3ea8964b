"""A running soak: the proxy, its node, its clients, and the kernel's accounts over time."""

from __future__ import annotations

import json
import math
import os
import resource
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from bench.accounts import core_seconds, cpu_ns, descriptors, private_kb, resident_kb, waited_ns
from bench.engine.build import Engines
from bench.engine.clients import GRAVE, Request, Snapshot, ask, load_command
from bench.engine.histogram import Histogram
from bench.engine.process import EngineFailed, child, read_port, wait_for_port
from bench.open_files import find_new, open_files
from bench.priority import precedence
from bench.targets import TARGETS, Place

__all__ = [
    "Rest",
    "Sample",
    "Settings",
    "Soak",
    "Tell",
    "most_streams",
    "open_soak",
    "read_metrics",
]

#: Called with what is being done and the progress of the whole run, from 0 to 1.
Tell = Callable[[str, float], None]

#: One stream in ten has a connection of its own, the others keep theirs for the next stream.
_CLOSING = 10
#: Descriptors of a process beside those of its streams.
_SPARE = 200
#: Seconds within which what clients left must be gone: a node's connection waits four for reuse,
#: and a question to a node may take some.
_REST = 25.0
_WARM_STREAMS = 20
#: More than `server.large_body`.
_LARGE = "x" * 300_000


@dataclass(frozen=True, slots=True)
class Settings:
    """``streams`` kept open for ``seconds``, each with a lifetime evenly distributed between
    ``life``'s two numbers of seconds, with ``rate`` events per second of ``size`` bytes. A sample
    every ``interval``."""

    streams: int
    seconds: float
    life: tuple[float, float]
    rate: float
    size: int
    interval: float
    arrivals: float
    load_core: int
    target_core: int
    nice: int
    proxy_command: str
    node_flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """The state at one moment, and what happened since the previous sample.

    ``lag_ms`` is the mean delay of the proxy's event loop and ``lag_worst_ms`` the upper edge of
    the highest bucket with a value; None if the monitor did not run. ``waited`` is the share of
    time in which the proxy was ready to run and waited for its core: lag that it does not cause.
    ``others`` and ``others_load`` are the shares of the proxy's and the clients' core that other
    programs used.
    """

    seconds: float
    private_kb: int
    resident_kb: int
    descriptors: int
    streams: int
    connections: int
    open: int
    cpu: float
    waited: float
    events_per_second: float
    exchanges_per_second: float
    exchanges: int
    lag_ms: float | None
    lag_worst_ms: float | None
    added_p50_ms: float | None
    added_p99_ms: float | None
    added_p999_ms: float | None
    lost: int
    duplicated: int
    disordered: int
    held_back: int
    errors: int
    others: float
    others_load: float


@dataclass(frozen=True, slots=True)
class Rest:
    """The proxy without clients; ``open`` names its file descriptors."""

    private_kb: int
    open: tuple[str, ...]
    streams: int
    connections: int


@dataclass(frozen=True, slots=True)
class _Books:
    at: float
    cpu: int
    waited: int
    load_cpu: int
    cores: dict[int, tuple[float, float]]
    metrics: dict[str, Any]
    clients: list[Snapshot]

    def total(self, name: str) -> int:
        return sum(int(one[name]) for one in self.clients)

    @property
    def errors(self) -> int:
        return sum(sum(one["errors"].values()) for one in self.clients)

    @property
    def added(self) -> Histogram:
        return Histogram.merged(one.histograms["added"] for one in self.clients)


class Soak:
    """``version`` is the proxy's; ``idle`` its state before the first client, warmed up."""

    def __init__(self, settings: Settings, engines: Engines, folder: Path, tell: Tell) -> None:
        self._settings, self._engines, self._folder, self._tell = settings, engines, folder, tell
        self._clients: list[subprocess.Popen[str]] = []
        self._stack = ExitStack()

    def start(self, stack: ExitStack) -> None:
        settings, folder = self._settings, self._folder
        command = [
            str(self._engines.node), "--rate", str(settings.rate), "--size", str(settings.size),
            "--seconds", str(settings.life[0]), "--seconds-most", str(settings.life[1]),
            *settings.node_flags,
        ]  # fmt: skip
        self._node = stack.enter_context(
            child(
                self._engines.tether, command,
                core=settings.load_core, log=folder / "node.log", piped=True,
            )
        )  # fmt: skip
        place = Place(self._engines, read_port(self._node), folder, settings.proxy_command)
        self._target = TARGETS["proxy"](place)
        self.version = self._target.version
        log = folder / "proxy.log"
        self._proxy = stack.enter_context(
            child(
                self._engines.tether, self._target.command,
                core=settings.target_core, log=log, environment=self._target.environment,
            )
        )  # fmt: skip
        wait_for_port(self._proxy, self._target.port, log)
        config = yaml.safe_load((folder / "casedesk-proxy.yaml").read_text())
        self._metrics_url = f"http://{config['server']['admin']}/metrics"
        self._warm()
        self.idle = self._rest()
        stack.callback(self._stack.close)

    def samples(self) -> Iterator[Sample]:
        """One sample every interval, until the time is over. Raises EngineFailed if the proxy
        ends."""
        settings = self._settings
        closing = settings.streams // _CLOSING
        for count, more in ((settings.streams - closing, {}), (closing, {"Connection": "close"})):
            if count:
                arrivals = settings.arrivals * count / settings.streams
                flags = ("--streams", str(count), "--arrivals", str(arrivals))
                self._clients.append(self._stack.enter_context(self._load(more, *flags)))
        begun = time.monotonic()
        before, number = self._read(begun), 0
        while before.at < settings.seconds:
            number += 1
            self._sleep(begun + min(number * settings.interval, settings.seconds), begun)
            after = self._read(begun)
            yield self._sample(before, after)
            before = after

    def end(self) -> Rest:
        """End the clients and wait until what they left is gone."""
        self._tell("at rest", 1.0)
        self._stack.close()
        until = time.monotonic() + _REST
        while (rest := self._rest()) and time.monotonic() < until:
            if not rest.streams and not find_new(self.idle.open, rest.open):
                break
            time.sleep(0.5)
        return rest

    def _warm(self) -> None:
        """Run every path of the code once."""
        flags = ("--streams", str(_WARM_STREAMS), "--seconds", "1")
        with self._load({}, *flags) as process:
            assert process.stdout is not None
            told = Snapshot.of(process.stdout.readline())
        if told["errors"] or told["statuses"].get("200", 0) < _WARM_STREAMS:
            said = (self._folder / "proxy.log").read_text(errors="replace").splitlines()[-5:]
            facts = f"statuses {told['statuses']}, errors {told['errors']}"
            raise EngineFailed("\n".join([f"the proxy does not relay: {facts}", *said]))

        self._close_half()
        self._ask_large()

    def _close_half(self) -> None:
        """Be a client that closes its half after the request: the code that watches such clients is
        made for the first one, and stays."""
        with self._ask(self._target.body) as client:
            client.shutdown(socket.SHUT_WR)
            client.recv(1)

    def _ask_large(self) -> None:
        """The planner is started for the first large request, or some seconds after the proxy, and
        stays."""
        with self._ask(
            json.dumps({**json.loads(self._target.body), "user": _LARGE}).encode()
        ) as client:
            client.recv(1)

    def _ask(self, body: bytes) -> socket.socket:
        """A client of its own that has sent everything."""
        target = self._target
        headers = {
            "Host": "127.0.0.1", "Content-Type": "application/json", **target.headers,
            "Content-Length": str(len(body)), "Connection": "close",
        }  # fmt: skip
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        client = socket.create_connection(("127.0.0.1", target.port), timeout=30)
        client.sendall(f"POST {target.path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        return client

    def _rest(self) -> Rest:
        # The files first: the scrape's own connection may not be closed at once.
        pid = self._proxy.pid
        files, seen = tuple(open_files(pid)), self._scrape()
        return Rest(private_kb(pid), files, seen["streams"], seen["connections"])

    @contextmanager
    def _load(self, more: dict[str, str], *flags: str) -> Iterator[subprocess.Popen[str]]:
        target = self._target
        headers = {"Content-Type": "application/json", **target.headers, **more}
        request = Request("127.0.0.1", target.port, target.path, headers, target.body)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        command = load_command(self._engines.load, request, folder, "--control", *flags)
        core, log = self._settings.load_core, folder / "log"
        with child(self._engines.tether, command, core=core, log=log, piped=True) as process:
            yield process

    def _sleep(self, until: float, begun: float) -> None:
        while (left := until - time.monotonic()) > 0:
            passed = time.monotonic() - begun
            self._tell("soaking", passed / self._settings.seconds)
            time.sleep(min(left, 0.5))

    def _scrape(self) -> dict[str, Any]:
        with urllib.request.urlopen(self._metrics_url, timeout=30) as reply:
            return read_metrics(reply.read().decode())

    def _read(self, begun: float) -> _Books:
        if self._proxy.poll() is not None:
            raise EngineFailed(f"the proxy ended in the middle: code {self._proxy.returncode}")
        clients = [ask(one) for one in self._clients]
        load_cpu = cpu_ns(self._node.pid) + sum(int(one["cpu_ns"]) for one in clients)
        cpu, waited = cpu_ns(self._proxy.pid), waited_ns(self._proxy.pid)
        at = time.monotonic() - begun
        return _Books(at, cpu, waited, load_cpu, core_seconds(), self._scrape(), clients)

    def _sample(self, before: _Books, after: _Books) -> Sample:
        seconds, pid = after.at - before.at, self._proxy.pid
        cpu = (after.cpu - before.cpu) / 1e9 / seconds
        load = (after.load_cpu - before.load_cpu) / 1e9 / seconds
        added = after.added.since(before.added)
        finished = after.total("finished") - before.total("finished")

        def gained(*names: str) -> int:
            return sum(after.total(name) - before.total(name) for name in names)

        lag, worst = _lag(before.metrics, after.metrics)
        cores = self._settings
        return Sample(
            seconds=after.at,
            private_kb=private_kb(pid),
            resident_kb=resident_kb(pid),
            descriptors=descriptors(pid),
            streams=after.metrics["streams"],
            connections=after.metrics["connections"],
            open=after.total("open"),
            cpu=cpu,
            waited=(after.waited - before.waited) / 1e9 / seconds,
            events_per_second=gained("events") / seconds,
            exchanges_per_second=finished / seconds,
            exchanges=after.total("finished"),
            lag_ms=lag,
            lag_worst_ms=worst,
            added_p50_ms=_milliseconds(added.quantile(0.5)),
            added_p99_ms=_milliseconds(added.quantile(0.99)),
            added_p999_ms=_milliseconds(added.quantile(0.999)),
            lost=gained("lost"),
            duplicated=gained("duplicated"),
            disordered=gained(*(name for name in GRAVE if name not in ("lost", "duplicated"))),
            held_back=gained("merged_late"),
            errors=after.errors - before.errors,
            others=_others(before, after, cores.target_core, cpu),
            others_load=_others(before, after, cores.load_core, load),
        )


@contextmanager
def open_soak(settings: Settings, engines: Engines, tell: Tell) -> Iterator[Soak]:
    """Everything started and warmed up. Raises EngineFailed."""
    most = most_streams()
    if settings.streams > most:
        raise EngineFailed(
            f"at most {most} streams with this limit of file descriptors (ulimit -n)"
        )
    os.sched_setaffinity(0, {settings.load_core})
    with (
        tempfile.TemporaryDirectory(prefix="bench-soak-") as name,
        ExitStack() as stack,
        precedence(settings.nice),
    ):
        tell("starting", 0.0)
        soak = Soak(settings, engines, Path(name), tell)
        soak.start(stack)
        yield soak


def most_streams() -> int:
    """How many streams the proxy can hold, with two descriptors each and the limit raised as far as
    possible."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(0, (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE) // 2)


def read_metrics(text: str) -> dict[str, Any]:
    """Streams, connections, and the buckets, sum and count of the loop's lag."""
    found: dict[str, Any] = {"buckets": {}}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            if one.name == "casedesk_loop_lag_seconds_bucket":
                found["buckets"][float(one.labels["le"])] = one.value
            elif one.name.startswith("casedesk_loop_lag_seconds_"):
                found[one.name.rpartition("_")[2]] = one.value
            elif one.name in ("casedesk_streams", "casedesk_connections"):
                found[one.name.removeprefix("casedesk_")] = int(one.value)
    return found


def _lag(before: dict[str, Any], after: dict[str, Any]) -> tuple[float | None, float | None]:
    """Mean and worst in milliseconds; a value beyond the last edge is reported as that edge."""
    beats = after.get("count", 0) - before.get("count", 0)
    if not beats:
        return None, None
    mean = (after["sum"] - before.get("sum", 0)) / beats * 1000
    reached = [
        edge
        for edge, count in sorted(after["buckets"].items())
        if edge != math.inf and count - before["buckets"].get(edge, 0) >= beats
    ]
    return mean, (reached or [max(edge for edge in after["buckets"] if edge != math.inf)])[0] * 1000


def _others(before: _Books, after: _Books, core: int, ours: float) -> float:
    busy = after.cores[core][0] - before.cores[core][0]
    total = after.cores[core][1] - before.cores[core][1]
    return max(0.0, busy / total - ours) if total else 0.0


def _milliseconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6
