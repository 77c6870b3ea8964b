"""A stream of OpenAI's whose counts we asked for and its client did not: the client gets all of it
but the event that holds them.

The event comes behind the answer's last, with an empty list of choices. Everything else of the
stream stays as the node wrote it, byte for byte; only the chunks around the bytes may be others.
"""

from __future__ import annotations

import re
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.replying.bodies.base import Breach
from casedesk_proxy.replying.bodies.content import Content
from casedesk_proxy.replying.bodies.relayed import ReframedBody
from casedesk_proxy.wire.bodies import BodyReader
from casedesk_proxy.wire.chunked import HEADS, ChunkReader

__all__ = ["TrimmedBody", "may_hold_counts"]

#: What no event without choices lacks.
_EMPTY_LIST = b"[]"
#: How a chunk ends that ends with an event.
_END = b"\n\n\r\n"
#: What no event with counts alone has, and how much longer than one is.
_CHOICE = b"[{"
_MAX_COUNTS_BYTES = 4096
_BOUNDARY = re.compile(rb"\n\n|\r\n\r\n")


def may_hold_counts(chunk: bytes) -> bool:
    """Whether a read that is exactly one chunk has to be looked at: it may be the event, or a part
    of it."""
    return _EMPTY_LIST in chunk or not chunk.endswith(_END)


class TrimmedBody(ReframedBody):
    """``is_trimmed`` tells the relay to ask `may_hold_counts` on the short way."""

    __slots__ = ("_held", "_is_inside")

    is_trimmed = True

    def __init__(self, reader: BodyReader, content: Content, *, bare: bool = False) -> None:
        super().__init__(reader, content, bare=bare)
        #: The beginning of an event that may be the one.
        self._held = b""
        #: Whether the beginning of one that is not has gone to the client.
        self._is_inside = False

    @property
    def room(self) -> int:
        short = isinstance(self.reader, ChunkReader) and self.reader.at_boundary
        whole = not self._held and not self._is_inside
        return len(HEADS) if short and whole and not self.bare else 0

    def take(self, data: bytes, used: int, *, unsent: bool) -> bytes:
        payload = self._content.take(b"".join(self.reader.payload), unsent=unsent)
        return self._frame(self._trim(payload))

    def recall(self, reads: int, pieces: tuple[bytes, ...]) -> None:
        self._content.recall(
            [piece[piece.index(b"\n") + 1 : -2] for piece in pieces if piece],
            missed=reads > len(pieces),
        )

    def finish(self, *, unsent: bool) -> bytes | Breach:
        """What lacks only its blank line is an event, too."""
        rest = super().finish(unsent=unsent)
        held, self._held = self._held, b""
        kept = b"" if not self._is_inside and _counts_alone(held) else held
        return rest if isinstance(rest, Breach) else self._frame(kept) + rest

    def _trim(self, payload: bytes) -> bytes:
        """What has come, without the event, and without the beginning of what may be it."""
        text, self._held = self._held + payload, b""
        kept, done = [], 0
        for boundary in _BOUNDARY.finditer(text):
            event = text[done : boundary.end()]
            if self._is_inside or not _counts_alone(event):
                kept.append(event)
            done, self._is_inside = boundary.end(), False
        rest = text[done:]
        if self._is_inside or _is_another(rest):
            # The client's last bytes may be the first of a boundary.
            tail = len(rest) - len(rest.rstrip(b"\r\n"))
            self._is_inside, self._held = True, rest[len(rest) - tail :]
            kept.append(rest[: len(rest) - tail])
        else:
            self._held = rest
        return b"".join(kept)


def _is_another(beginning: bytes) -> bool:
    """Whether what begins so is not the event."""
    return _CHOICE in beginning or len(beginning) > _MAX_COUNTS_BYTES


def _counts_alone(event: bytes) -> bool:
    if _EMPTY_LIST not in event or b'"usage"' not in event:
        return False
    _, _, data = event.partition(b"data:")
    try:
        value: Any = jsonio.loads(data)
    except jsonio.JSONError:
        return False
    if not isinstance(value, dict) or value.get("choices") != []:
        return False
    return isinstance(value.get("usage"), dict)
