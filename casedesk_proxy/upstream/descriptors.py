"""Whether a failed connection is our own affair: the process has no file descriptor left for it."""

from __future__ import annotations

import errno

__all__ = ["USED_UP", "are_used_up"]

#: Of the process, and of the whole machine.
USED_UP = frozenset({errno.EMFILE, errno.ENFILE})


def are_used_up(error: BaseException) -> bool:
    """aiohttp's errors have the number of the one that they wrap."""
    return isinstance(error, OSError) and error.errno in USED_UP
