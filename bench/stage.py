"""The node and the relays of one measurement, pinned to their cores, and clients for them."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.engine.build import Engines
from bench.engine.clients import Request, Snapshot, ask, load_command
from bench.engine.process import EngineFailed, child, read_port, stop, wait_for_port
from bench.priority import precedence
from bench.rest import wait_for_rest
from bench.targets import TARGETS, Place, Target, Unavailable
from bench.tls import make_tls_client

__all__ = ["Cores", "Stage", "Tell", "set_stage"]

#: Called with what is being done and the progress of the whole run, from 0 to 1.
Tell = Callable[[str, float], None]

_WARM_STREAMS = 20
#: Without these there is nothing to compare.
_OURS = ("proxy", "transposed", "proxy-tls", "floor")


@dataclass(frozen=True, slots=True)
class Cores:
    """``load`` is for node, clients and the script itself, ``target`` for the relays."""

    load: int
    target: int


class Stage:
    """The child processes of one measurement, alive while ``stack`` is open.

    ``targets`` and ``relays`` are those that run, by name, ``skipped`` why the others do not.
    """

    def __init__(
        self,
        engines: Engines,
        folder: Path,
        cores: Cores,
        stack: ExitStack,
        *,
        proxy_command: str,
        tell: Tell,
    ) -> None:
        self.engines = engines
        self.folder = folder
        self.cores = cores
        self.stack = stack
        self.proxy_command = proxy_command
        self.tell = tell
        self.node_port = 0
        self.skipped: dict[str, str] = {}
        self.targets: dict[str, Target] = {}
        self.relays: dict[str, subprocess.Popen[str]] = {}
        self._started = time.monotonic()

    @property
    def versions(self) -> dict[str, str]:
        return {name: target.version for name, target in self.targets.items()}

    def start_node(self, *flags: str) -> None:
        self.node = self.stack.enter_context(
            child(
                self.engines.tether,
                [str(self.engines.node), *flags],
                core=self.cores.load,
                log=self.folder / "node.log",
                piped=True,
            )
        )
        self.node_port = read_port(self.node)

    def start_relays(self, names: tuple[str, ...]) -> None:
        """Start every one of them that this machine has. Raises EngineFailed if it has none."""
        for name in names:
            self.tell(f"starting {name}", 0.0)
            try:
                self._start_relay(name)
            except Unavailable as error:
                self.skipped[name] = str(error)
            except EngineFailed as error:
                self._leave_out(name, error)
        if not self.targets:
            raise EngineFailed(f"nothing to measure: {self.skipped}")

    def warm_all(self, *, unary: bool = False) -> None:
        """Warm up every relay and wait until all are at rest; a peer that does not relay here is
        left out, with its output."""
        for name in list(self.targets):
            try:
                self.warm(name, unary=unary)
            except EngineFailed as error:
                self._leave_out(name, error)
        self.wait_for_rest()

    def wait_for_rest(self) -> None:
        """Wait until no relay does anything by itself any more: they share a core, so what one of
        them still prepares would be in the figures of all. After 20 s measure as it is."""
        self.tell("waiting until the relays are at rest", 0.0)
        wait_for_rest([relay.pid for relay in self.relays.values()], self._started)

    def _leave_out(self, name: str, error: EngineFailed) -> None:
        if name in _OURS:
            raise error
        self.targets.pop(name, None)
        if relay := self.relays.pop(name, None):
            stop(relay)
        self.skipped[name] = "; ".join(str(error).splitlines())

    def _start_relay(self, name: str) -> None:
        folder = self.folder / name
        folder.mkdir()
        target = TARGETS[name](Place(self.engines, self.node_port, folder, self.proxy_command))
        log = folder / "log"
        relay = self.stack.enter_context(
            child(
                self.engines.tether,
                target.command,
                core=self.cores.target,
                log=log,
                environment=target.environment,
            )
        )
        wait_for_port(relay, target.tls_port or target.port, log)
        if target.tls_port:
            self._start_tls_client(target, folder)
        self.targets[name], self.relays[name] = target, relay
        self._started = time.monotonic()

    def _start_tls_client(self, target: Target, folder: Path) -> None:
        log = folder / "tls-client.log"
        client = self.stack.enter_context(
            child(
                self.engines.tether, make_tls_client(target, folder), core=self.cores.load, log=log
            )
        )
        wait_for_port(client, target.port, log)

    @contextmanager
    def load(self, name: str, *flags: str, unary: bool = False) -> Iterator[subprocess.Popen[str]]:
        """Clients of one target, which answer ``ask``."""
        target, folder = self.targets[name], self.folder / name
        request = Request(
            "127.0.0.1",
            target.port,
            target.unary_path if unary else target.path,
            {"Content-Type": "application/json", **target.headers},
            target.unary_body if unary else target.body,
        )
        if unary:
            flags = ("--unary", *flags)
        command = load_command(self.engines.load, request, folder, "--control", *flags)
        core, log = self.cores.load, folder / "load.log"
        with child(self.engines.tether, command, core=core, log=log, piped=True) as process:
            yield process

    def warm(self, name: str, *, unary: bool = False) -> None:
        """Run every path of the code once, so that idle memory is that of a used process."""
        self.tell(f"warming {name}", 0.0)
        # LiteLLM loads most of itself with its first request; smg listens before it knows its node.
        for seconds in ("1", "2", "20"):
            flags = ("--streams", str(_WARM_STREAMS), "--seconds", seconds)
            with self.load(name, *flags, unary=unary) as process:
                assert process.stdout is not None
                told = Snapshot.of(process.stdout.readline())
            if told["statuses"].get("200", 0) >= _WARM_STREAMS and not told["errors"]:
                break
        else:
            self.complain(name, told, f"{_WARM_STREAMS} streams")

    def fill(self, loads: dict[str, subprocess.Popen[str]], streams: int, limit: float) -> None:
        """Wait until all ``streams`` of every load have begun to answer, ``limit`` seconds."""
        until = time.monotonic() + limit
        waiting = set(loads)
        while waiting and time.monotonic() < until:
            self.tell("opening streams", 0.0)
            time.sleep(0.25)
            waiting = {n for n in waiting if ask(loads[n])["statuses"].get("200") != streams}
        for name, process in loads.items():
            told = ask(process)
            if told["errors"] or told["statuses"].get("200") != streams:
                self.complain(name, told, f"{streams} streams")

    def complain(self, name: str, told: Snapshot, wanted: str) -> None:
        """Raise EngineFailed with what the clients saw and the relay printed."""
        said = (self.folder / name / "log").read_text(errors="replace").splitlines()[-5:]
        raise EngineFailed(
            f"{name} does not relay: wanted {wanted}, statuses {told['statuses']},"
            f" errors {told['errors']}\n" + "\n".join(said)
        )

    def check_alive(self, name: str) -> None:
        relay = self.relays[name]
        if relay.poll() is not None:
            raise EngineFailed(f"{name} ended in the middle: code {relay.returncode}")


@contextmanager
def set_stage(
    engines: Engines, cores: Cores, *, nice: int, proxy_command: str, tell: Tell
) -> Iterator[Stage]:
    """An empty stage in a folder of its own; this process moves to the core of the load."""
    os.sched_setaffinity(0, {cores.load})
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        stack.enter_context(precedence(nice))
        Path(name).chmod(0o711)
        yield Stage(engines, Path(name), cores, stack, proxy_command=proxy_command, tell=tell)
