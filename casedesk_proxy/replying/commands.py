"""Where a reply stands, and what its machine wants done: see `machine`."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from casedesk_proxy.replying.endings import Parting
from casedesk_proxy.replying.record import Terminal
from casedesk_proxy.terms import record

__all__ = ["Command", "ConcludeSoon", "End", "MakeHead", "Postpone", "State"]

#: The client's head for a body of that many bytes; None: for a body whose length is not known yet.
MakeHead = Callable[[int | None], bytes]


class State(Enum):
    #: A failure can still be a plain error reply.
    NOTHING_SENT = "nothing sent"
    #: The head of a stream and keep-alives, nothing of the node's.
    KEPT_ALIVE = "kept alive"
    #: The head of the node's reply alone.
    HEAD_SENT = "head sent"
    #: A part of the node's reply.
    BODY = "body"
    #: The client has all of the reply, or a plain error instead of it.
    ENDED = "ended"
    #: The reply was cut, or the client left it.
    BROKEN = "broken"


@record
class Postpone:
    """More than one round of the loop should bear: give ``rest`` as ``data`` again in the next in
    which the client takes more, and nothing of the node's before it."""

    rest: bytes


@record
class ConcludeSoon:
    """The answer is complete: ``conclude`` soon, if the node does not end its message before."""


@record
class End:
    """The reply is over. ``clean``: the node's message was read to its end."""

    terminal: Terminal
    clean: bool
    parting: Parting


#: Bytes are to be written to the client.
Command = bytes | Postpone | ConcludeSoon | End
