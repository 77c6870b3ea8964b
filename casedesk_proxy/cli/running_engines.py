"""Finds engines that run on this machine on other ports than their defaults, by their processes.

Linux shows a process's command line to everyone, but its sockets only to its own user and to root:
engines of other users are not found.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from casedesk_proxy.engines.registry import ENGINES

__all__ = ["find_engine_ports"]

#: Words in an engine's command line.
_NAMES = "|".join(re.escape(word) for one in ENGINES.values() for word in one.programs)
_PROGRAMS = re.compile(rf"(?:^|[/\s\0])(?:{_NAMES})(?:$|[\s\0.])")
_LISTENING = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]")


def find_engine_ports(proc: Path = Path("/proc")) -> list[int]:
    """The TCP ports, in order, on which processes listen whose command line names an engine."""
    listening = dict(_read_listeners(proc))
    found = set()
    for folder in proc.glob("[0-9]*"):
        if _PROGRAMS.search(_read(folder / "cmdline")):
            found |= {listening[inode] for inode in _list_sockets(folder) if inode in listening}
    return sorted(found)


def _read_listeners(proc: Path) -> Iterator[tuple[str, int]]:
    """Inode and port of each listening socket."""
    for table in ("tcp", "tcp6"):
        for line in _read(proc / "net" / table).splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTENING:
                yield fields[9], int(fields[1].rpartition(":")[2], 16)


def _list_sockets(folder: Path) -> Iterator[str]:
    try:
        names = list((folder / "fd").iterdir())
    except OSError:
        return
    for name in names:
        try:
            target = _SOCKET.match(os.readlink(name))
        except OSError:
            continue
        if target is not None:
            yield target[1]


def _read(path: Path) -> str:
    """Empty if it cannot be read: processes may have ended."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
