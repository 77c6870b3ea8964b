"""The kernel's accounts of processes and cores."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = [
    "core_seconds",
    "cpu_ns",
    "descriptors",
    "family",
    "private_kb",
    "resident_kb",
    "waited_ns",
]

_TICK = 1 / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for member in found:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            found += [int(word) for word in children.read_text().split()]
    return found


def cpu_ns(pid: int) -> int:
    """CPU time of a process and its descendants, of all living threads, in nanoseconds.

    From the scheduler's own account (schedstat), which is exact, while utime and stime are sampled.
    It includes the kernel's work for the process: system calls and, on the loopback, the delivery
    of what it sends.
    """
    return _schedstat(pid, 0)


def waited_ns(pid: int) -> int:
    """Time for which they were ready to run and had to wait for a core, for living threads."""
    return _schedstat(pid, 1)


def _schedstat(pid: int, field: int) -> int:
    return sum(
        int(path.read_text().split()[field])
        for member in family(pid)
        for path in Path(f"/proc/{member}/task").glob("*/schedstat")
    )


def private_kb(pid: int) -> int:
    """Anonymous memory of a process and its descendants, in KB.

    Pages that forked processes still share are divided among them. Libraries are excluded: their
    share changes when any other program that maps them starts or ends.
    """
    return sum(_rollup_kb(member, "Pss_Anon") for member in family(pid))


def resident_kb(pid: int) -> int:
    """Resident memory of a process and its descendants, files' pages included."""
    return sum(_rollup_kb(member, "Rss") for member in family(pid))


def descriptors(pid: int) -> int:
    """Open file descriptors of a process and its descendants."""
    return sum(len(list(Path(f"/proc/{member}/fd").iterdir())) for member in family(pid))


def _rollup_kb(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise ValueError(f"no {name} in smaps_rollup of {pid}")


def core_seconds() -> dict[int, tuple[float, float]]:
    """Busy and total seconds of every core since boot."""
    cores = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            ticks = [int(field) for field in fields[:8]]
            idle = ticks[3] + ticks[4]
            cores[int(name[3:])] = ((sum(ticks) - idle) * _TICK, sum(ticks) * _TICK)
    return cores
