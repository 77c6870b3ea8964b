"""When another node may be tried: before the first byte to the client, and if it can do no harm.

A request that no node has begun may go to any node. A request that a node may have begun, because
the connection was lost while its reply was awaited, is sent again at most once: inference has no
side effect but its cost, but a request that crashes nodes must not be passed from one to the next.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["OVERLOAD_STATUSES", "RETRYABLE_STATUSES", "Failure", "may_try_another"]

#: Statuses that mean that the node has not begun the request (529 is Anthropic's).
RETRYABLE_STATUSES = frozenset({429, 502, 503, 529})
#: Those of them that mean overload, rather than not ready.
OVERLOAD_STATUSES = frozenset({429, 529})


class Failure(StrEnum):
    """How an attempt failed before the client received a byte."""

    #: No connection could be made.
    CONNECT = "connect"
    #: The node answered with one of RETRYABLE_STATUSES, or with an error of its own
    #: (replying.verdict).
    REFUSED = "refused"
    #: The connection ended before the reply's head, or in a reply of which nothing was passed on
    #: yet.
    LOST = "lost"
    #: No reply in time. The node may still be working, and the next one would be as slow.
    TIMEOUT = "timeout"
    #: The bytes are not a reply that can be relayed.
    GARBLED = "garbled"


_HARMLESS = frozenset({Failure.CONNECT, Failure.REFUSED})


def may_try_another(failure: Failure, replays: int, overdue: bool) -> bool:
    """``replays``: how often the request was already sent again after it was LOST. ``overdue``: the
    time for failovers has passed."""
    if overdue:
        return False
    return failure in _HARMLESS or (failure is Failure.LOST and replays == 0)
