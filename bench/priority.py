"""Priority over other programs on the machine while a bench runs.

A relay that must wait for its core gets its events in groups, and groups are cheaper than the
single events that a bench means to measure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["precedence"]

# If the kernel groups tasks by session, niceness only counts within the group; this file has the
# group's own.
_GROUP = Path("/proc/self/autogroup")


@contextmanager
def precedence(nice: int) -> Iterator[None]:
    """Run this process and its children at this niceness, if that is allowed."""
    mine, group = os.getpriority(os.PRIO_PROCESS, 0), _read_group()
    _set(nice, nice if group is not None else None)
    try:
        yield
    finally:
        _set(mine, group)


def _set(mine: int, group: int | None) -> None:
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, mine)
        if group is not None:
            _GROUP.write_text(f"{group}\n")


def _read_group() -> int | None:
    try:
        return int(_GROUP.read_text().split()[-1])
    except (OSError, ValueError, IndexError):
        return None
