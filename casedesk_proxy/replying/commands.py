"""The states of a reply, and the commands of its machine: see `machine`."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from casedesk_proxy.replying.endings import Parting
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import record

__all__ = ["Command", "ConcludeSoon", "End", "MakeHead", "Postpone", "State"]

#: Makes the client's head for a body of so many bytes; None: of unknown length.
MakeHead = Callable[[int | None], bytes]


class State(Enum):
    #: A failure can still be a plain error reply.
    NOTHING_SENT = "nothing sent"
    #: The head of a stream and keepalives, nothing of the node's reply.
    KEPT_ALIVE = "kept alive"
    #: Only the head of the node's reply.
    HEAD_SENT = "head sent"
    #: A part of the node's reply.
    BODY = "body"
    #: The client has the whole reply, or a plain error in its place.
    ENDED = "ended"
    #: The reply was cut, or the client left.
    BROKEN = "broken"


@record
class Postpone:
    """More than one round of the loop should handle: pass ``rest`` as ``data`` in the next round in
    which the client accepts more, and no other bytes of the node before it."""

    rest: bytes


@record
class ConcludeSoon:
    """The answer is complete: call ``conclude`` soon, if the node does not end its message
    before."""


@record
class End:
    """The reply has ended. ``clean``: the node's message was read to its end."""

    terminal: Terminal
    clean: bool
    parting: Parting


#: Bytes must be written to the client.
Command = bytes | Postpone | ConcludeSoon | End
