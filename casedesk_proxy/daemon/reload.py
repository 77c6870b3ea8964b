"""Reload: read and check first, then swap in one step, or change nothing and report why."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from casedesk_proxy.config.changes import Changes, compare
from casedesk_proxy.config.complaints import Complaint, ConfigError
from casedesk_proxy.config.schema import Config
from casedesk_proxy.daemon.detached_threads import DetachedThreads
from casedesk_proxy.files.s3_bucket import S3Bucket
from casedesk_proxy.server.app import Gateway
from casedesk_proxy.server.runtime import Runtime
from casedesk_proxy.turns import in_turns

__all__ = ["Prepare", "Prepared", "Reloader"]

log = logging.getLogger(__name__)

#: Seconds for which the thread that reads a configuration may hold the interpreter. With Python's 5
#: ms each round of the event loop would wait that long while a file is parsed.
_SWITCH_INTERVAL_S = 0.0005
#: Warnings that are logged in one round: a thousand deployments may have one each, and a line takes
#: 15 µs.
_LINES_PER_TURN = 50


@dataclass(frozen=True, slots=True)
class Prepared:
    """A valid configuration with the nodes' keys."""

    config: Config
    secrets: dict[str, str] = field(repr=False)
    warnings: tuple[Complaint, ...] = ()
    #: The URL of the ledger's database; None: there is none.
    database: str | None = field(default=None, repr=False)
    #: The bucket of several hosts, with its keys; None: files stay on this host.
    bucket: S3Bucket | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """The result of reading the file; ``changes`` from the active configuration."""

    prepared: Prepared
    runtime: Runtime
    changes: Changes


#: Reads and checks the file; raises ConfigError or OSError.
Prepare = Callable[[], Prepared]


class Reloader:
    """Reloads one after the other; requests that come meanwhile cause one more."""

    def __init__(self, gateway: Gateway, prepare: Prepare, current: Config) -> None:
        self._gateway = gateway
        self._prepare = prepare
        self.config = current
        self._reading = DetachedThreads[_Read]("reading the configuration")
        self._parting = DetachedThreads[None]("letting go of a configuration")
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._is_stopped = False
        #: Called before each reload and after it.
        self.begun: Callable[[], None] = lambda: None
        self.ended: Callable[[], None] = lambda: None

    def request(self) -> None:
        """For a signal handler: reload soon. Nothing is reloaded after ``stop``."""
        if self._is_stopped:
            return
        if self._task is not None and not self._task.done():
            self._again = True
            self._reading.hurry()
            return
        self._task = asyncio.get_running_loop().create_task(self._work(), name="reload")

    async def stop(self) -> None:
        self._is_stopped = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        self._again = True
        while self._again:
            self._again = False
            self.begun()
            try:
                await self.reload()
            finally:
                self.ended()

    async def reload(self) -> bool:
        """Whether the file was applied. Raises nothing that a file can cause."""
        with _considerate():
            try:
                read = await self._reading.run(self._read)
            except (ConfigError, OSError) as error:
                await self._refuse(error)
                return False
            old = _parts_of(self._gateway.serving.current)
            self._gateway.apply(read.runtime)
            self.config = read.prepared.config
            self._gateway.config_status.accept(time.time())
            self._gateway.metrics.count_reload(ok=True)
            await self._log_changes(read.changes, read.prepared.warnings)
            with contextlib.suppress(OSError):
                await self._parting.run(partial(_let_go, old))
        return True

    def _read(self) -> _Read:
        prepared = self._prepare()
        runtime = self._gateway.compile(prepared.config, prepared.secrets)
        return _Read(prepared, runtime, compare(self.config, prepared.config))

    async def _refuse(self, error: ConfigError | OSError) -> None:
        complaints = error.complaints if isinstance(error, ConfigError) else [str(error)]
        lines = [" ".join(str(one).split()) for one in complaints]
        async for line in in_turns(lines, _LINES_PER_TURN):
            log.error("configuration refused: %s", line)
        more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        self._gateway.config_status.reject(time.time(), lines[0] + more)
        self._gateway.metrics.count_reload(ok=False)
        log.error("the previous configuration stays active")

    async def _log_changes(self, changes: Changes, warnings: tuple[Complaint, ...]) -> None:
        async for warning in in_turns(warnings, _LINES_PER_TURN):
            log.warning("%s", warning)
        log.info("configuration reloaded: %s", changes.sum_up() or "nothing changed")
        for path in self._gateway.still_fixed(changes.restart_keys):
            log.warning("%s changed: restart the service for it to take effect", path)


@contextlib.contextmanager
def _considerate() -> Iterator[None]:
    """While threads work on a configuration, the loop gets the interpreter at once when it needs
    it, and the garbage collector is off: a file with thousands of keys makes half a million
    objects, which the collector would examine several times, the last time all at once. They live
    as long as the configuration, and are not examined again."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        sys.setswitchinterval(interval)


def _parts_of(runtime: Runtime) -> list[object]:
    """The parts of a configuration that consist of many objects."""
    config, snapshot = runtime.config, runtime.snapshot
    many = config.keys, config.deployments.values(), snapshot.deployments.values()
    return [part for parts in (*many, snapshot.keys.principals) for part in parts]


def _let_go(parts: list[object]) -> None:
    """Free them one by one, in a thread: together with their configuration they would be freed at
    once."""
    while parts:
        parts.pop()
