"""When another node may be tried: before the first byte to the client, and where it can do no
harm.

A request that no node has begun may go anywhere. One that a node may have begun, because the
connection was lost while its reply was awaited, is replayed at most once: inference has no side
effect but its cost, but a request that kills nodes must not be led from one to the next.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["OVERLOAD_STATUSES", "RETRYABLE_STATUSES", "Failure", "may_try_another"]

#: Statuses with which a node says that it has not begun (529 is Anthropic's).
RETRYABLE_STATUSES = frozenset({429, 502, 503, 529})
#: Those of them that mean: too much to do, as opposed to: not ready.
OVERLOAD_STATUSES = frozenset({429, 529})


class Failure(StrEnum):
    """How an attempt ended before the client had a byte."""

    #: No connection came about.
    CONNECT = "connect"
    #: It answered one of RETRYABLE_STATUSES, or with an error of its own (replying.verdict).
    REFUSED = "refused"
    #: The connection ended before its reply's head, or a reply of which nothing was sent on yet.
    LOST = "lost"
    #: No reply in time. It may still be at work, and the next one would be as slow.
    TIMEOUT = "timeout"
    #: What came is no reply that can be relayed.
    GARBLED = "garbled"


_HARMLESS = frozenset({Failure.CONNECT, Failure.REFUSED})


def may_try_another(failure: Failure, replays: int, overdue: bool) -> bool:
    """``replays``: how often the request was already sent again after it was LOST. ``overdue``:
    the time that failing over may take has passed."""
    if overdue:
        return False
    return failure in _HARMLESS or (failure is Failure.LOST and replays == 0)
