"""Several relays under the same load at the same moment, read in rounds.

Every target holds its streams open through all rounds; a round is a window in which the CPU time
of each target's processes and the events its clients received are read at both ends. Targets share
one core, node and clients the other, so whatever else the machine does hits all of them alike and
the ratio of two targets within one round holds where absolute numbers scatter.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.accounts import core_seconds, cpu_ns, private_kb
from bench.engine.build import Engines
from bench.engine.clients import Request, Snapshot, ask, load_command
from bench.engine.histogram import Histogram
from bench.engine.process import EngineFailed, child, read_port, wait_for_port
from bench.priority import precedence
from bench.targets import TARGETS, Place, Target, Unavailable

__all__ = ["Outcome", "Round", "Sample", "Settings", "compare"]

#: Told what is being done and how far the whole thing is, from 0 to 1.
Tell = Callable[[str, float], None]

_ARRIVALS = 200
_WARM_STREAMS = 20


@dataclass(frozen=True, slots=True)
class Settings:
    """What is run. ``streams`` per target, ``rate`` events per second and stream, ``size`` bytes
    of an event, ``seconds`` of a round, ``tick`` the node's in microseconds."""

    targets: tuple[str, ...]
    streams: int
    rate: float
    size: int
    rounds: int
    seconds: float
    tick: int
    load_core: int
    target_core: int
    nice: int
    proxy_command: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One target in one round."""

    cpu_ns: int
    load_cpu_ns: int
    events: int
    added: Histogram
    faults: dict[str, int]
    errors: int

    @property
    def us_per_event(self) -> float:
        return self.cpu_ns / 1000 / self.events


@dataclass(frozen=True, slots=True)
class Round:
    """All targets in one window. ``busy`` is each core's share, ``node_cpu_ns`` the node's time."""

    seconds: float
    busy: dict[int, float]
    node_cpu_ns: int
    samples: dict[str, Sample]

    @property
    def events(self) -> int:
        return sum(sample.events for sample in self.samples.values())

    @property
    def load_share(self) -> float:
        """Share of a core that node and clients took."""
        spent = self.node_cpu_ns + sum(s.load_cpu_ns for s in self.samples.values())
        return spent / 1e9 / self.seconds

    @property
    def target_share(self) -> float:
        """Share of a core that the relays took."""
        return sum(sample.cpu_ns for sample in self.samples.values()) / 1e9 / self.seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that was measured. Memory is in KB: idle after a warm-up, and with all open."""

    settings: Settings
    versions: dict[str, str]
    skipped: dict[str, str]
    event_bytes: int
    idle_kb: dict[str, int]
    open_kb: dict[str, int]
    rounds: list[Round]

    def kb_per_stream(self, name: str) -> float:
        return (self.open_kb[name] - self.idle_kb[name]) / self.settings.streams


@dataclass(frozen=True, slots=True)
class Reading:
    """The state of all books at one moment."""

    at: float
    cores: dict[int, tuple[float, float]]
    node: int
    cpu: dict[str, int]
    clients: dict[str, Snapshot]


class Runner:
    """The children of one comparison, alive while its ``ExitStack`` is open."""

    def __init__(self, settings: Settings, engines: Engines, folder: Path, tell: Tell) -> None:
        self.settings = settings
        self.engines = engines
        self.folder = folder
        self.tell = tell
        self.skipped: dict[str, str] = {}
        self.targets: dict[str, Target] = {}
        self.relays: dict[str, subprocess.Popen[str]] = {}
        self.clients: dict[str, subprocess.Popen[str]] = {}

    def start(self, stack: ExitStack) -> None:
        """The node and every target that this machine has."""
        settings = self.settings
        command = [
            str(self.engines.node), "--rate", str(settings.rate), "--size", str(settings.size),
            "--tick-us", str(settings.tick),
        ]  # fmt: skip
        log = self.folder / "node.log"
        self.node = stack.enter_context(
            child(self.engines.tether, command, core=settings.load_core, log=log, piped=True)
        )
        port = read_port(self.node)
        for name in settings.targets:
            self.tell(f"starting {name}", 0.0)
            folder = self.folder / name
            folder.mkdir()
            try:
                target = TARGETS[name](Place(self.engines, port, folder, settings.proxy_command))
            except Unavailable as error:
                self.skipped[name] = str(error)
                continue
            log = folder / "log"
            relay = stack.enter_context(
                child(
                    self.engines.tether,
                    target.command,
                    core=settings.target_core,
                    log=log,
                    environment=target.environment,
                )
            )
            wait_for_port(relay, target.port, log)
            self.targets[name], self.relays[name] = target, relay

    @contextmanager
    def load(self, name: str, *flags: str) -> Iterator[subprocess.Popen[str]]:
        """Clients of one target."""
        target, folder = self.targets[name], self.folder / name
        request = Request(
            "127.0.0.1",
            target.port,
            target.path,
            {"Content-Type": "application/json", **target.headers},
            target.body,
        )
        command = load_command(self.engines.load, request, folder, "--control", *flags)
        core, log = self.settings.load_core, folder / "load.log"
        with child(self.engines.tether, command, core=core, log=log, piped=True) as process:
            yield process

    def warm(self, name: str) -> None:
        """Have every path of the code run once, so that idle memory is that of a used process."""
        self.tell(f"warming {name}", 0.0)
        for seconds in ("1", "20"):  # LiteLLM loads most of itself with its first request
            with self.load(name, "--streams", str(_WARM_STREAMS), "--seconds", seconds) as process:
                assert process.stdout is not None
                told = Snapshot.of(process.stdout.readline())
            if told["statuses"].get("200") == _WARM_STREAMS:
                break
        self.expect(name, told, _WARM_STREAMS)

    def open_all(self, stack: ExitStack) -> None:
        """All streams of all targets, until each has begun to answer."""
        streams = self.settings.streams
        flags = ("--streams", str(streams), "--arrivals", str(_ARRIVALS))
        for name in self.targets:
            self.clients[name] = stack.enter_context(self.load(name, *flags))
        until = time.monotonic() + streams / _ARRIVALS + 20
        waiting = set(self.targets)
        while waiting and time.monotonic() < until:
            self.tell("opening streams", 0.0)
            time.sleep(0.25)
            waiting = {n for n in waiting if ask(self.clients[n])["statuses"].get("200") != streams}
        for name, process in self.clients.items():
            self.expect(name, ask(process), streams)

    def expect(self, name: str, told: Snapshot, streams: int) -> None:
        if told["errors"] or told["statuses"].get("200") != streams:
            said = (self.folder / name / "log").read_text(errors="replace").splitlines()[-5:]
            raise EngineFailed(
                f"{name} does not relay: wanted {streams} streams, statuses {told['statuses']},"
                f" errors {told['errors']}\n" + "\n".join(said)
            )

    def read(self) -> Reading:
        at, cores, node = time.monotonic(), core_seconds(), cpu_ns(self.node.pid)
        cpu, clients = {}, {}
        for name, relay in self.relays.items():
            if relay.poll() is not None:
                raise EngineFailed(f"{name} ended in the middle: code {relay.returncode}")
            # The two accounts of a target one right after the other.
            cpu[name], clients[name] = cpu_ns(relay.pid), ask(self.clients[name])
        return Reading(at, cores, node, cpu, clients)

    def memory(self) -> dict[str, int]:
        return {name: private_kb(relay.pid) for name, relay in self.relays.items()}


def compare(settings: Settings, engines: Engines, tell: Tell) -> Outcome:
    """Run it all. Raises EngineFailed when a target does not do its work."""
    os.sched_setaffinity(0, {settings.load_core})
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        stack.enter_context(precedence(settings.nice))
        Path(name).chmod(0o711)
        runner = Runner(settings, engines, Path(name), tell)
        runner.start(stack)
        if not runner.targets:
            raise EngineFailed(f"nothing to measure: {runner.skipped}")
        for target in runner.targets:
            runner.warm(target)
        time.sleep(0.5)
        idle = runner.memory()
        runner.open_all(stack)
        rounds = list(_measure(runner))
        return Outcome(
            settings=settings,
            versions={name: target.version for name, target in runner.targets.items()},
            skipped=runner.skipped,
            event_bytes=settings.size,
            idle_kb=idle,
            open_kb=runner.memory(),
            rounds=rounds,
        )


def _measure(runner: Runner) -> Iterator[Round]:
    count, seconds = runner.settings.rounds, runner.settings.seconds
    _sleep(runner, min(1.0, seconds), "settling", 0.0, 0.0)
    before = runner.read()
    for number in range(count):
        _sleep(runner, seconds, f"round {number + 1} of {count}", number / count, 1 / count)
        after = runner.read()
        yield _subtract(after, before)
        before = after


def _sleep(runner: Runner, seconds: float, what: str, done: float, share: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        runner.tell(what, done + share * (1 - left / seconds))
        time.sleep(min(left, 0.5))


def _subtract(after: Reading, before: Reading) -> Round:
    return Round(
        seconds=after.at - before.at,
        busy={
            core: (busy - before.cores[core][0]) / (total - before.cores[core][1] or 1)
            for core, (busy, total) in after.cores.items()
        },
        node_cpu_ns=after.node - before.node,
        samples={
            name: _sample(after.cpu[name] - before.cpu[name], now, before.clients[name])
            for name, now in after.clients.items()
        },
    )


def _sample(cpu: int, now: Snapshot, then: Snapshot) -> Sample:
    return Sample(
        cpu_ns=cpu,
        load_cpu_ns=now["cpu_ns"] - then["cpu_ns"],
        events=now["events"] - then["events"],
        added=now.histograms["added"].since(then.histograms["added"]),
        faults={name: n - then[name] for name, n in now.faults.items() if n - then[name]},
        errors=sum(now["errors"].values()) - sum(then["errors"].values()),
    )
