"""One running abuse: innocent streams, new requests beside them, and the kernel's accounts."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.abuse_scene import LOADS, Scene, Settings
from bench.abuses import ABUSES
from bench.accounts import core_seconds, cpu_ns
from bench.engine.build import Engines
from bench.engine.clients import Snapshot, ask
from bench.engine.process import EngineFailed, read_line

__all__ = ["Outcome", "Sample", "Tell", "abuse_once", "read_status"]

#: Called with what is being done and the progress of this abuse, from 0 to 1.
Tell = Callable[[str, float], None]

_INTERVAL_S = 0.1
_BEFORE_S = 2.0
_CALM_S = 1.0
#: A shorter pause in ms between two events of a stream does not count: 20 are usual at 50 events/s.
_USUAL_MS = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Since the previous sample: the longest pause in ms that ended in a stream of each kind, or
    has lasted in all of them so far; ms for which the proxy's loop waited for its core while other
    programs had it; its memory now. ``at``: seconds since the abuse began, negative before it."""

    at: float
    verbatim_ms: float
    translated_ms: float
    control_ms: float
    waited_ms: float
    resident_mb: float


@dataclass(slots=True)
class Outcome:
    """``failure``: why it did not finish, if so. ``calm_s``: seconds from the abuse's end until
    streams and new requests were as before, None if that did not happen. ``pulse_s``: the longest
    time between two pings to the service manager, due every half second. ``said``: the abuser's own
    counts. ``left_mb``: memory more than before, at the very end."""

    name: str
    samples: list[Sample] = field(default_factory=list)
    ended: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    slowest_ms: float = 0.0
    late_slowest_ms: float = 0.0
    idle_mb: float = 0.0
    peak_mb: float = 0.0
    left_mb: float = 0.0
    pulse_s: float = 0.0
    calm_s: float | None = None
    said: dict[str, int] = field(default_factory=dict)
    failure: str = ""


class _Books:
    """The last values from all loads and the kernel, to compute differences."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._last: dict[str, Snapshot] = {}
        self._heard: dict[str, float] = {}
        self._waited, self._busy, self._used = 0.0, 0.0, 0.0

    def read(self, begun: float) -> Sample:
        scene, now = self._scene, time.monotonic()
        if scene.proxy.poll() is not None:
            raise EngineFailed(f"the proxy ended: code {scene.proxy.returncode}")
        pauses = {name: self._pause(name, now) for name in LOADS}
        resident = read_status(scene.proxy.pid)["VmRSS"] / 1024
        return Sample(now - begun, *(pauses[name] for name in LOADS), self._wait(), resident)

    def _wait(self) -> float:
        """Waiting for other threads of the proxy is its own fault."""
        pid, core = self._scene.proxy.pid, self._scene.settings.target_core
        waited = int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e6
        busy, used = core_seconds()[core][0] * 1e3, cpu_ns(pid) / 1e6
        others = (busy - self._busy) - (used - self._used)
        least = max(0.0, min(waited - self._waited, others))
        self._waited, self._busy, self._used = waited, busy, used
        return least

    def _pause(self, name: str, now: float) -> float:
        snapshot = ask(self._scene.loads[name])
        before = self._last.get(name, snapshot)
        self._last[name] = snapshot
        if snapshot["events"] > before["events"] or name not in self._heard:
            self._heard[name] = now
        gained = snapshot.histograms["gap"].since(before.histograms["gap"])
        ended = max((value for value, count in gained.pairs if count > 0), default=0)
        # A pause that lasts is known to the step of the samples, and only if all streams are
        # silent.
        return max(ended / 1e6, (now - self._heard[name]) * 1e3 - _INTERVAL_S * 1e3)

    def errors(self) -> dict[str, int]:
        """Errors of innocent streams, by kind."""
        found: dict[str, int] = {}
        for name in ("verbatim", "translated"):
            told = self._last[name]
            statuses = {f"status {k}": n for k, n in told["statuses"].items() if k != "200"}
            broken = {k: n for k, n in told["errors"].items() if k != "status"}
            for kind, number in {**statuses, **broken, **told.faults}.items():
                if kind != "merged_late":
                    found[kind] = found.get(kind, 0) + number
        return found


def read_status(pid: int) -> dict[str, int]:
    """VmRSS, VmHWM (the peak) and the like, in KB."""
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if value.endswith(" kB"):
            found[name] = int(value.split()[0])
    return found


def abuse_once(name: str, settings: Settings, engines: Engines, tell: Tell) -> Outcome:
    """Raises EngineFailed if not even the innocent streams can be started."""
    abuse, outcome = ABUSES[name], Outcome(name)
    with tempfile.TemporaryDirectory(prefix="bench-abuse-") as folder, ExitStack() as stack:
        scene = Scene(abuse, settings, engines, Path(folder))
        tell("starting", 0.0)
        scene.start(stack)
        books = _Books(scene)
        _settle(scene, books)
        try:
            for what, done in _watch(scene, books, outcome):
                tell(what, done)
        except (EngineFailed, OSError, ValueError) as error:
            outcome.failure = str(error)
        outcome.errors = books.errors()
        outcome.requests = scene.prober.counts()
    return outcome


def _settle(scene: Scene, books: _Books) -> None:
    """Wait until all streams run; what was warmed up does not count."""
    until = time.monotonic() + 30
    wanted = {name: 1 if name == "control" else 2 for name in LOADS}
    while any(ask(scene.loads[name])["events"] < 20 * n for name, n in wanted.items()):
        scene.read_log()
        if time.monotonic() > until:
            log = (scene.folder / "proxy.log").read_text(errors="replace")[-2000:]
            raise EngineFailed(f"the innocent streams do not run\n{log}")
        time.sleep(_INTERVAL_S)
    time.sleep(1.0)
    books.read(0.0)


def _watch(scene: Scene, books: _Books, outcome: Outcome) -> Iterator[tuple[str, float]]:
    """Sample before, during and after; ``outcome`` is filled step by step."""
    whole = _BEFORE_S + scene.seconds + _CALM_S
    begun = time.monotonic() + _BEFORE_S
    for sample in _samples(scene, books, begun, lambda at: at < 0):
        outcome.samples.append(sample)
        yield "before", (sample.at + _BEFORE_S) / whole
    outcome.idle_mb = outcome.samples[-1].resident_mb
    scene.prober.restart()
    scene.pulse.restart()
    scene.begin()
    begun = time.monotonic()
    # The abuser may take longer than its time: it waits for the proxy, too.
    limit = scene.seconds + 2.0
    for sample in _samples(
        scene, books, begun, lambda at: at < limit and not scene.abuser_is_done()
    ):
        outcome.samples.append(sample)
        _count(scene, outcome)
        yield "abusing", (sample.at + _BEFORE_S) / whole
    outcome.ended = time.monotonic() - begun
    outcome.late_slowest_ms = scene.prober.slowest_ms(since=scene.abuse.grace)
    scene.end()
    yield from _calm(scene, books, outcome, begun, whole)
    outcome.left_mb = outcome.samples[-1].resident_mb - outcome.idle_mb
    if scene.abuser_is_done():
        outcome.said = json.loads(read_line(scene.abuser.stdout, scene.abuser))


def _calm(
    scene: Scene, books: _Books, outcome: Outcome, begun: float, whole: float
) -> Iterator[tuple[str, float]]:
    """Until everything was normal for a second, or the time is over."""
    ended = outcome.ended
    quiet_since: float | None = ended
    last = ended + scene.settings.patience
    for sample in _samples(scene, books, begun, lambda at: at < last):
        outcome.samples.append(sample)
        _count(scene, outcome)
        worst = max(sample.verbatim_ms, sample.translated_ms) - sample.control_ms
        if worst > _USUAL_MS or scene.prober.waiting_ms() > _USUAL_MS:
            quiet_since = None
        elif quiet_since is None:
            quiet_since = sample.at
        if quiet_since is not None and sample.at - quiet_since >= _CALM_S:
            outcome.calm_s = max(0.0, quiet_since - ended)
            break
        yield "calming down", min(1.0, (sample.at + _BEFORE_S) / whole)
    outcome.slowest_ms = scene.prober.slowest_ms()


def _count(scene: Scene, outcome: Outcome) -> None:
    outcome.peak_mb = read_status(scene.proxy.pid)["VmHWM"] / 1024 - outcome.idle_mb
    outcome.pulse_s = scene.pulse.longest()
    outcome.slowest_ms = scene.prober.slowest_ms()


def _samples(
    scene: Scene, books: _Books, begun: float, more: Callable[[float], bool]
) -> Iterator[Sample]:
    while more(time.monotonic() - begun):
        time.sleep(_INTERVAL_S)
        scene.read_log()
        yield books.read(begun)
