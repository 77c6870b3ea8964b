"""Locks on places of a file, held by one opening of it: they end with it, also by SIGKILL.

Open file description locks (fcntl(2)), of which two openings in one process know nothing of each
other, as two processes do. Nothing here waits.
"""

from __future__ import annotations

import fcntl
import struct

__all__ = ["is_locked_elsewhere", "try_lock", "unlock"]

#: struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = "hhqqi4x"


def try_lock(descriptor: int, place: int) -> bool:
    """Whether the place is this opening's now."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _ask(fcntl.F_WRLCK, place))
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int, place: int) -> None:
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _ask(fcntl.F_UNLCK, place))


def is_locked_elsewhere(descriptor: int, place: int) -> bool:
    """Whether another opening has the place."""
    found = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _ask(fcntl.F_WRLCK, place))
    kind: int = struct.unpack(_FLOCK, found)[0]
    return kind != fcntl.F_UNLCK


def _ask(kind: int, place: int) -> bytes:
    # No pid: the lock is the opening's, not the process's.
    return struct.pack(_FLOCK, kind, 0, place, 1, 0)
