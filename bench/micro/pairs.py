"""Compares two trees: batches in turn on one core, ratios within pairs, and their significance.

A batch of one tree and the next of the other have the same neighbours and the same clock rate, so
their ratio is stable even if nanoseconds vary. Yet two processes of the *same* tree differ, by
where their memory is and by what neighbours do: the ratio of a round by 1.9 % (standard deviation;
a commit against itself on two shared cores), once in 300 by 15 %. Therefore each round has new
processes and gives one ratio, the median of its pairs; only what persists over rounds is called a
difference. The interval is that of the sign test (order statistics of the rounds), which assumes
nothing about the distribution of ratios, and its confidence is shared among all cases: at most one
run in twenty has a false alarm.

Not pyperf: its workers and its calibration are as good, but it compares two files that were
recorded one after the other, by Student's test over values that neighbours disturb for seconds. Not
instructions: virtual machines rarely count them (``perf stat -e instructions:u``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import comb
from pathlib import Path
from statistics import median

from bench.micro.processes import Stuck, Worker, worker

__all__ = [
    "ALARMS",
    "Comparison",
    "Pairing",
    "calibrate",
    "compare",
    "interval",
    "rounds_needed",
    "same_cases",
]

#: How often a whole run may report a difference if there is none.
ALARMS = 0.05
_CALIBRATION_NS = 2_000_000


@dataclass(frozen=True, slots=True)
class Pairing:
    """``batch`` in milliseconds; ``core`` to which both trees are pinned, None: any."""

    rounds: int
    pairs: int
    batch: float
    core: int | None


@dataclass(slots=True)
class Comparison:
    """One case: ratios new to old, one per round, and nanoseconds per operation, one per batch."""

    name: str
    operation: str
    ratios: list[float] = field(default_factory=list)
    old: list[float] = field(default_factory=list)
    new: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return median(self.ratios)


def interval(values: Sequence[float], alarms: float) -> tuple[float, float] | None:
    """The interval of the true median, except for a share ``alarms`` of all cases; None: too few
    values."""
    ordered, count = sorted(values), len(values)
    cut, beyond = -1, 0.0
    while True:
        beyond += 2 * comb(count, cut + 1) / 2**count
        if beyond > alarms:
            break
        cut += 1
    return None if cut < 0 else (ordered[cut], ordered[count - 1 - cut])


def rounds_needed(cases: int) -> int:
    """The fewest rounds that can show any difference."""
    count = 1
    while interval([1.0] * count, ALARMS / cases) is None:
        count += 1
    return count


def compare(
    old: Path, new: Path, modules: Sequence[str], pairing: Pairing, names: Sequence[str],
    tell: Callable[[str, float], None],
) -> tuple[list[Comparison], dict[str, str], dict[str, str]]:  # fmt: skip
    """The cases that both trees have, and why the others are missing in the old and in the new
    tree. ``names`` selects some; empty: all. ``tell`` gets what is being done and the progress."""
    found: dict[str, Comparison] = {}
    absent: tuple[dict[str, str], dict[str, str]] = ({}, {})
    stuck: tuple[dict[str, str], dict[str, str]] = ({}, {})
    passes: dict[str, int] = {}
    number = 0
    while number < pairing.rounds:
        with (
            worker(old, pairing.core, modules, number) as before,
            worker(new, pairing.core, modules, number) as after,
        ):
            absent = before.absent | stuck[0], after.absent | stuck[1]
            then_named = same_cases(before.operations, after.operations)
            shared = [one for one in then_named if not names or one in names]
            shared = [one for one in shared if one not in stuck[0] | stuck[1]]
            for place, name in enumerate(shared):
                tell(name, (number + place / len(shared)) / pairing.rounds)
                one = found.setdefault(name, Comparison(name, after.operations[name]))
                if len(one.ratios) > number:
                    continue  # of this round, which started again
                try:
                    if name not in passes:
                        passes[name] = calibrate(after, name, pairing.batch)
                    both = then_named[name], name
                    pairs = list(_pairs(before, after, both, passes[name], pairing.pairs))
                except Stuck as why:
                    stuck[why.worker is after][name] = str(why)
                    del found[name]
                    break
                one.old += [old_ns for old_ns, _ in pairs]
                one.new += [new_ns for _, new_ns in pairs]
                one.ratios.append(median(new_ns / old_ns for old_ns, new_ns in pairs))
            else:
                number += 1
    return list(found.values()), absent[0] | stuck[0], absent[1] | stuck[1]


def same_cases(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """The old name of each new case, of operations by name. A case whose module was renamed keeps
    its operation, and is found by that if only one matches."""
    renamed: dict[str, list[str]] = {}
    for name, operation in old.items():
        if name not in new:
            renamed.setdefault(operation, []).append(name)
    found = {}
    for name, operation in new.items():
        if name in old:
            found[name] = name
        elif len(renamed.get(operation, ())) == 1:
            (found[name],) = renamed[operation]
    return found


def calibrate(some: Worker, name: str, batch: float) -> int:
    """How many passes fill a batch."""
    passes = 1
    while (spent := some.measure(name, passes) * some.sizes[name] * passes) < _CALIBRATION_NS:
        passes *= 4
    return max(1, round(passes * batch * 1e6 / spent))


def _pairs(
    before: Worker, after: Worker, names: tuple[str, str], passes: int, count: int
) -> Iterator[tuple[float, float]]:
    """(old, new) of batches in turn, by the case's name in each; the first one alternates."""
    then_named, now_named = names
    before.measure(then_named, max(1, passes // 4))  # fills caches and lazily made objects
    after.measure(now_named, max(1, passes // 4))
    for number in range(count):
        if number % 2:
            now = after.measure(now_named, passes)
            yield before.measure(then_named, passes), now
        else:
            then = before.measure(then_named, passes)
            yield then, after.measure(now_named, passes)
