"""Locks on bytes of a file, held by one opening of it: they end with it, also after SIGKILL.

Open file description locks (fcntl(2)): two openings in one process exclude each other, as two
processes do. Nothing here waits.
"""

from __future__ import annotations

import fcntl
import struct

__all__ = ["is_locked_elsewhere", "try_lock", "unlock"]

#: struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = "hhqqi4x"


def try_lock(descriptor: int, place: int) -> bool:
    """Whether this opening has got the lock."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _ask(fcntl.F_WRLCK, place))
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int, place: int) -> None:
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _ask(fcntl.F_UNLCK, place))


def is_locked_elsewhere(descriptor: int, place: int) -> bool:
    """Whether another opening holds the lock."""
    found = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _ask(fcntl.F_WRLCK, place))
    kind: int = struct.unpack(_FLOCK, found)[0]
    return kind != fcntl.F_UNLCK


def _ask(kind: int, place: int) -> bytes:
    # No pid: the lock belongs to the opening, not to the process.
    return struct.pack(_FLOCK, kind, 0, place, 1, 0)
