"""Names of a process's open file descriptors."""

from __future__ import annotations

import socket
import struct
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

__all__ = ["find_new", "open_files"]

_LISTENING = "0A"


def open_files(pid: int) -> list[str]:
    """One name for each descriptor: a file's path, the two ends of a connection, or the kind."""
    sockets = _sockets(pid)
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            name = str(entry.readlink())
        except FileNotFoundError:
            continue  # closed since the folder was read
        kind, _, inode = name.partition(":[")
        if kind == "socket":
            found.append(sockets.get(inode.rstrip("]"), "a socket"))
        else:
            found.append("a pipe" if kind == "pipe" else name)
    return sorted(found)


def find_new(before: Iterable[str], now: Iterable[str]) -> list[str]:
    """What is open now and was not before; a connection always counts as new, since it should have
    ended."""
    lasting = Counter(name for name in before if not _is_connection(name))
    return sorted((Counter(now) - lasting).elements())


def _is_connection(name: str) -> bool:
    return name.startswith("tcp ") and " to " in name


def _sockets(pid: int) -> dict[str, str]:
    """TCP sockets by inode: see proc(5), /proc/net/tcp."""
    found = {}
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except FileNotFoundError:
            continue  # a kernel without IPv6
        for line in lines:
            _, here, there, state, *_, inode = line.split()[:10]
            peer = "listening" if state == _LISTENING else f"to {_address(there)}"
            found[inode] = f"tcp {_address(here)} {peer}"
    return found


def _address(text: str) -> str:
    """``0100007F:1F90``: words in the machine's byte order."""
    host, port = text.split(":")
    words = [int(host[at : at + 8], 16) for at in range(0, len(host), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    address = socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words))
    return f"{address}:{int(port, 16)}"
