"""The tap: remembers the beginning and the end of a stream while it goes by.

Nothing is parsed while the stream runs. The relay hands over references to what it sends
anyway; ``usage`` looks at them once, at the end. Memory is bounded: one piece from the
beginning and KEPT from the end, each cut to MAX_PIECE bytes where it arrives large.
"""

from __future__ import annotations

from collections import deque

from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.usage.extract import find_usage

__all__ = ["Tap"]

#: The count of a stream stands in one of its last three events in every dialect (measured
#: over the recorded replies of six engines); one more is kept for a terminator sent alone.
KEPT = 4
#: An event with counts is far smaller; a unary body has its counts near its end.
MAX_PIECE = 16384


class Tap:
    """``first`` and ``last`` are what the relay fills; ``last`` may be appended to directly.

    Entries are body bytes as they were relayed. With ``chunked`` each entry of ``last`` is
    exactly one chunk, its size line and CRLF included, which ``tail`` takes off.
    """

    __slots__ = ("chunked", "first", "last")

    def __init__(self, chunked: bool) -> None:
        self.chunked = chunked
        self.first = b""
        self.last: deque[bytes] = deque(maxlen=KEPT)

    def take(self, payload: bytes) -> None:
        """Remember body bytes that arrived in no convenient shape. Small pieces are joined, so
        that a stream of single bytes is remembered as far back as one of whole events."""
        if len(payload) > MAX_PIECE:
            payload = payload[-MAX_PIECE:]
        if not self.first:
            self.first = payload
        if self.last and len(self.last[-1]) < MAX_PIECE // 8:
            payload = self._bare(self.last.pop()) + payload
        self.last.append(b"%x\r\n%b\r\n" % (len(payload), payload) if self.chunked else payload)

    def _bare(self, entry: bytes) -> bytes:
        return entry[entry.index(b"\r\n") + 2 : -2] if self.chunked else entry

    def tail(self) -> bytes:
        """The last bytes of the body, as far back as they are remembered."""
        return b"".join(map(self._bare, self.last))

    def usage(self, dialect: Dialect) -> Usage:
        """What the node told, all None where it told nothing."""
        return find_usage(dialect, self.first, self.tail())
