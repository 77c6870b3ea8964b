"""Whether a connection failed because no file descriptor was left, rather than because of the
node."""

from __future__ import annotations

import errno

__all__ = ["USED_UP", "are_used_up"]

#: The limits of the process, and of the whole machine.
USED_UP = frozenset({errno.EMFILE, errno.ENFILE})


def are_used_up(error: BaseException) -> bool:
    """aiohttp's errors have the number of the error that they wrap."""
    return isinstance(error, OSError) and error.errno in USED_UP
