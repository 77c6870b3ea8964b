"""What the kernel's books say about processes and cores."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["core_seconds", "cpu_ns", "family", "private_kb"]

_TICK = 1 / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for member in found:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            found += [int(word) for word in children.read_text().split()]
    return found


def cpu_ns(pid: int) -> int:
    """CPU time of a process and its descendants, all threads that live, in nanoseconds.

    The scheduler's own account (schedstat), which is exact where utime and stime are sampled.
    It holds the kernel's work for the process too: system calls, and on the loopback the
    delivery of what it sends.
    """
    return sum(
        int(path.read_text().split()[0])
        for member in family(pid)
        for path in Path(f"/proc/{member}/task").glob("*/schedstat")
    )


def private_kb(pid: int) -> int:
    """Memory of a process and its descendants that is no file's, in KB.

    Pages that forked processes still share are divided among them. Libraries are left out: their
    share changes when any other program that maps them starts or ends.
    """
    return sum(_anonymous_kb(member) for member in family(pid))


def _anonymous_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1])
    raise ValueError(f"no Pss_Anon in smaps_rollup of {pid}")


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
