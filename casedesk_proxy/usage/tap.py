"""The tap: keeps the beginning and the end of a reply's body while it passes.

Nothing is parsed while a stream runs; ``usage`` searches once, at the end. Memory is bounded by two
pieces of MAX_PIECE_BYTES bytes.
"""

from __future__ import annotations

from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.usage.extract import find_usage

__all__ = ["MAX_PIECE_BYTES", "Tap"]

#: Bytes. An event with counts is far smaller; a unary body has its counts near its end.
MAX_PIECE_BYTES = 8192


class Tap:
    """``first`` and ``last`` are the body's first piece and its last bytes; ``has_gap``: bytes
    between them were not seen."""

    __slots__ = ("first", "has_gap", "last")

    def __init__(self) -> None:
        self.has_gap = False
        self.first = b""
        self.last = b""

    def take(self, payload: bytes) -> None:
        """Take the next bytes of the body."""
        if not self.first:
            self.first = payload[:MAX_PIECE_BYTES]
        if len(payload) < MAX_PIECE_BYTES:
            payload = self.last + payload
        self.last = payload[-MAX_PIECE_BYTES:]

    def skip(self) -> None:
        """Note that bytes passed without being seen: the bytes before them do not belong to the
        end."""
        self.last, self.has_gap = b"", True

    def usage(self, dialect: Dialect) -> Usage:
        """What the node reported; all None if it reported nothing."""
        first = b"" if self.last.startswith(self.first) else self.first
        return find_usage(dialect, first, self.last)
