"""Several relays under the same load at the same moment, measured in rounds.

Every target keeps its streams open through all rounds; a round is a window at both ends of which
the CPU time of each target's processes and the events that its clients received are read. Targets
share one core, node and clients the other, so whatever else the machine does affects all of them
alike, and the ratio of two targets within one round is stable even if absolute numbers vary.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.accounts import core_seconds, cpu_ns, private_kb
from bench.engine.build import Engines
from bench.engine.clients import Snapshot, ask
from bench.engine.histogram import Histogram
from bench.stage import Cores, Stage, Tell, set_stage

__all__ = ["Outcome", "Round", "Sample", "Settings", "compare"]

_ARRIVALS = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """The measurement. ``streams`` per target, ``rate`` events per second and stream, ``size``
    bytes of an event, ``seconds`` of a round, ``tick`` the node's in microseconds."""

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
        """The share of a core that node and clients used."""
        spent = self.node_cpu_ns + sum(s.load_cpu_ns for s in self.samples.values())
        return spent / 1e9 / self.seconds

    @property
    def target_share(self) -> float:
        """The share of a core that the relays used."""
        return sum(sample.cpu_ns for sample in self.samples.values()) / 1e9 / self.seconds


@dataclass(frozen=True, slots=True)
class Outcome:
    """All measured values. Memory is in KB: idle after a warm-up, and with all streams open."""

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
    """All accounts at one moment."""

    at: float
    cores: dict[int, tuple[float, float]]
    node: int
    cpu: dict[str, int]
    clients: dict[str, Snapshot]


class Runner:
    """The clients of all relays of one stage, alive while its stack is open."""

    def __init__(self, settings: Settings, stage: Stage) -> None:
        self.settings = settings
        self.stage = stage
        self.clients: dict[str, subprocess.Popen[str]] = {}

    def open_all(self) -> None:
        """Open all streams of all targets, until each has begun to answer."""
        streams = self.settings.streams
        flags = ("--streams", str(streams), "--arrivals", str(_ARRIVALS))
        for name in self.stage.targets:
            self.clients[name] = self.stage.stack.enter_context(self.stage.load(name, *flags))
        self.stage.fill(self.clients, streams, streams / _ARRIVALS + 20)

    def read(self) -> Reading:
        at, cores, node = time.monotonic(), core_seconds(), cpu_ns(self.stage.node.pid)
        cpu, clients = {}, {}
        for name, relay in self.stage.relays.items():
            self.stage.check_alive(name)
            # The two accounts of a target directly after each other.
            cpu[name], clients[name] = cpu_ns(relay.pid), ask(self.clients[name])
        return Reading(at, cores, node, cpu, clients)

    def memory(self) -> dict[str, int]:
        return {name: private_kb(relay.pid) for name, relay in self.stage.relays.items()}


def compare(settings: Settings, engines: Engines, tell: Tell) -> Outcome:
    """Run the whole measurement. Raises EngineFailed if a target fails."""
    cores = Cores(settings.load_core, settings.target_core)
    with set_stage(
        engines, cores, nice=settings.nice, proxy_command=settings.proxy_command, tell=tell
    ) as stage:
        stage.start_node(
            "--rate", str(settings.rate), "--size", str(settings.size),
            "--tick-us", str(settings.tick),
        )  # fmt: skip
        stage.start_relays(settings.targets)
        runner = Runner(settings, stage)
        stage.warm_all()
        idle = runner.memory()
        runner.open_all()
        rounds = list(_measure(runner))
        return Outcome(
            settings=settings,
            versions=stage.versions,
            skipped=stage.skipped,
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
        runner.stage.tell(what, done + share * (1 - left / seconds))
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
