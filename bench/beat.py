"""The daemon, with a timer in its loop that notes how long the loop's rounds are.

python -m bench.beat CONFIG: as ``casedesk-proxy serve``; each line on its input is answered with
one of JSON: ``?``, what was noted since the last one; ``#``, how many streams there are.

A timer of 1 ms runs once a round. Between two of its calls lies what the loop did in between: in
seconds of the thread's CPU, which other programs do not lengthen, and by the clock.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from bench.engine.process import read_line
from casedesk_proxy.cli.serve import _prepare
from casedesk_proxy.daemon.reload import Prepared
from casedesk_proxy.daemon.run import Daemon
from casedesk_proxy.server.app import Gateway

__all__ = ["Beat", "count_streams", "look"]

_PERIOD_S = 0.001
#: Longer rounds are counted.
_STALL_S = 0.005


class Beat:
    """Runs until the loop ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._cpu, self._time = time.thread_time(), time.monotonic()
        self._longest: list[float] = []
        self._late = self._spent = 0.0
        self._rounds = 0
        loop.call_later(_PERIOD_S, self._tick)

    def _tick(self) -> None:
        cpu, now = time.thread_time(), time.monotonic()
        spent, self._cpu = cpu - self._cpu, cpu
        self._late = max(self._late, now - self._time - _PERIOD_S)
        self._time = now
        self._rounds += 1
        self._spent += spent
        if spent > _STALL_S / 2:
            self._longest.append(spent)
        self._loop.call_later(_PERIOD_S, self._tick)

    def take(self) -> dict[str, object]:
        """In milliseconds. ``stall``: of CPU, the longest round; ``late``: by the clock."""
        told: dict[str, object] = {
            "stall": max(self._longest, default=0.0) * 1e3,
            "stalls": sum(one > _STALL_S for one in self._longest),
            "longest": [round(one * 1e3, 1) for one in sorted(self._longest)[-5:]],
            "late": self._late * 1e3,
            "cpu": self._spent * 1e3,
            "rounds": self._rounds,
        }
        self._longest, self._late, self._spent, self._rounds = [], 0.0, 0.0, 0
        return told


def look(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What such a daemon, with pipes for input and output, measured since the last call. Raises
    EngineFailed if it has ended."""
    return _ask(process, "?")


def count_streams(process: subprocess.Popen[str]) -> int:
    """How many it has now, which costs its loop next to nothing. Raises EngineFailed."""
    count: int = _ask(process, "#")["streams"]
    return count


def _ask(process: subprocess.Popen[str], what: str) -> dict[str, Any]:
    assert process.stdin is not None
    process.stdin.write(f"{what}\n")
    process.stdin.flush()
    told: dict[str, Any] = json.loads(read_line(process.stdout, process))
    return told


def serve(file: Path) -> None:
    def prepare() -> Prepared:
        return _prepare(file, None)

    uvloop.run(Daemon(prepare(), prepare, file).run(_listen))


def _listen(gateway: Gateway) -> None:
    loop = asyncio.get_running_loop()
    beat = Beat(loop)
    admin = gateway.admin_urls[0].rpartition(":")[2] if gateway.admin_urls else 0
    _say({"port": int(gateway.urls[0].rpartition(":")[2]), "admin": int(admin)})
    answers: dict[bytes, Callable[[], object]] = {
        b"?": lambda: _say(beat.take()),
        b"#": lambda: _say({"streams": len(gateway.watch)}),
    }
    loop.add_reader(0, lambda: [answers[line]() for line in os.read(0, 4096).split()])


def _say(what: dict[str, object]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
