"""Relays measured one after the other, each alone, in rounds that go through all of them.

The current one has the whole core, so this shows what one relay can do at most; the rounds are
short and interleaved, so that a slow minute of the machine affects all alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.accounts import core_seconds, cpu_ns
from bench.engine.clients import Snapshot, ask
from bench.engine.histogram import Histogram
from bench.stage import Stage

__all__ = ["Course", "Turn", "take_turns"]

#: What a turn counts: replies that arrived whole, or streams that began.
Count = Callable[[Snapshot], int]


@dataclass(frozen=True, slots=True)
class Turn:
    """One relay in one window of one round. ``count`` is what the measurement counts, ``busy`` the
    used share of each core, CPU times are nanoseconds."""

    seconds: float
    count: int
    cpu_ns: int
    load_cpu_ns: int
    node_cpu_ns: int
    errors: int
    busy: Mapping[int, float]
    histograms: Mapping[str, Histogram]

    @property
    def per_second(self) -> float:
        return self.count / self.seconds

    @property
    def us(self) -> float:
        """CPU time of the relay for each counted item."""
        return self.cpu_ns / 1000 / self.count

    def as_json(self, *histograms: str) -> dict[str, Any]:
        return {
            "seconds": self.seconds,
            "count": self.count,
            "cpu_ns": self.cpu_ns,
            "load_cpu_ns": self.load_cpu_ns,
            "node_cpu_ns": self.node_cpu_ns,
            "errors": self.errors,
            "busy": dict(self.busy),
            **{f"{name}_ns": self.histograms[name].pairs for name in histograms},
        }


@dataclass(frozen=True, slots=True)
class Course:
    """The course of a turn: options of the load, ``settle`` seconds unread, then ``seconds``
    read."""

    flags: tuple[str, ...]
    unary: bool
    settle: float
    seconds: float
    count: Count


def take_turns(stage: Stage, course: Course, rounds: int) -> Iterator[dict[str, Turn]]:
    """Each round's turns by relay. Raises EngineFailed if a relay does no work at all."""
    names = list(stage.targets)
    steps = rounds * len(names)
    for number in range(rounds):
        turns = {}
        # Every other round in reverse: so no relay always follows the same one.
        for at, name in enumerate(names if number % 2 == 0 else names[::-1]):
            stage.tell(
                f"round {number + 1} of {rounds}: {name}", (number * len(names) + at) / steps
            )
            turns[name] = _take_turn(stage, name, course)
        yield {name: turns[name] for name in names}


def _take_turn(stage: Stage, name: str, course: Course) -> Turn:
    pid, node = stage.relays[name].pid, stage.node.pid
    with stage.load(name, *course.flags, unary=course.unary) as process:
        time.sleep(course.settle)
        at, cores = time.monotonic(), core_seconds()
        cpu, node_cpu, then = cpu_ns(pid), cpu_ns(node), ask(process)
        time.sleep(course.seconds)
        stage.check_alive(name)
        spent, node_spent, now = cpu_ns(pid) - cpu, cpu_ns(node) - node_cpu, ask(process)
        seconds, later = time.monotonic() - at, core_seconds()
    count = course.count(now) - course.count(then)
    if count <= 0:
        stage.complain(name, now, "replies")
    return Turn(
        seconds=seconds,
        count=count,
        cpu_ns=spent,
        load_cpu_ns=now["cpu_ns"] - then["cpu_ns"],
        node_cpu_ns=node_spent,
        errors=sum(now["errors"].values()) - sum(then["errors"].values()),
        busy={
            core: (busy - cores[core][0]) / (total - cores[core][1] or 1)
            for core, (busy, total) in later.items()
        },
        histograms={
            kind: histogram.since(then.histograms[kind])
            for kind, histogram in now.histograms.items()
        },
    )
