"""Which tricks are in use: all, unless some are turned off to find a fault, or to prove that they
change nothing.

They are turned off for a whole process, before any object is made that uses them: objects read the
switches when they are made, so that events cost nothing more. The program that starts the process
reads the environment, never this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

__all__ = ["VARIABLE", "Trick", "is_on", "read_plain", "turn_off"]

#: The environment variable: ``1`` turns all tricks off; names separated by commas turn off only
#: those.
VARIABLE = "CASEDESK_PLAIN"


class Trick(StrEnum):
    """Each trick, with what is done if it is off."""

    # Enum's own hash takes a quarter of a microsecond.
    __hash__ = str.__hash__

    #: An exchange is an asyncio task.
    FIBERS = "fibers"
    #: Whole messages are written one by one, at once.
    CORK = "cork"
    #: Every head is parsed.
    HEADS = "heads"
    #: Every event of a translated stream is parsed.
    TEMPLATE = "template"
    #: Every request's path is read, its credential looked up and its model resolved.
    ADMISSION = "admission"
    #: Every read of a stream goes through the body's parser.
    ONE_CHUNK = "one-chunk"
    #: A whole reply that arrives in one piece is relayed as any other.
    WHOLE_REPLIES = "whole-replies"
    #: The usual line of the access log is rendered as any other.
    LOG_LINE = "log-line"
    #: Clients' TLS is the event loop's.
    TLS = "tls"


_off: frozenset[Trick] = frozenset()


def read_plain(text: str) -> frozenset[Trick]:
    """The tricks that the variable's value turns off; none for an empty value or ``0``.

    Raises ValueError for an unknown name.
    """
    text = text.strip()
    if text in ("", "0"):
        return frozenset()
    if text == "1":
        return frozenset(Trick)
    try:
        return frozenset(Trick(name.strip()) for name in text.split(","))
    except ValueError as error:
        raise ValueError(f"{VARIABLE}: {error}; use 1, or some of {', '.join(Trick)}") from None


def turn_off(tricks: Iterable[Trick]) -> frozenset[Trick]:
    """Turn these off and all others on; returns those that were off before."""
    global _off
    before, _off = _off, frozenset(tricks)
    return before


def is_on(trick: Trick) -> bool:
    """For constructors, and for what is done once per exchange."""
    return trick not in _off
