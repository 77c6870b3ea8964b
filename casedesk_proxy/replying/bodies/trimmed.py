"""An OpenAI stream with counts for which the proxy asked and its client did not: the client gets
all of it but the event with the counts.

That event follows the answer's last event and has an empty list of choices. The rest of the stream
is unchanged, byte for byte; only the chunk framing may differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.replying.bodies.base import Breach
from casedesk_proxy.replying.bodies.content import Content
from casedesk_proxy.replying.bodies.relayed import ReframedBody, recalled
from casedesk_proxy.wire.bodies import BodyReader
from casedesk_proxy.wire.chunked import HEADS, ChunkReader

__all__ = ["EVENT_END", "NOWHERE", "TrimmedBody", "find_choices", "may_hold_counts"]

#: Every event without choices contains this.
_EMPTY_LIST = b"[]"
#: The end of an event, and of a chunk that ends with one.
_BLANK_LINE = b"\n\n"
EVENT_END = _BLANK_LINE + b"\r\n"
#: The same for a stream whose lines may end with CR alone.
_BLANK_LINES = re.compile(rb"\r\r\n?+|\n\r?\n")
#: The beginning of an event's choices, if it has some. No text contains this: its quotes are
#: escaped.
_CHOICES = b'"choices":[{', b'"choices": [{'
#: For an event without choices, from which nothing can be concluded about other events.
NOWHERE = slice(0), b"nowhere", slice(0)
#: Missing in an event that contains only counts; and the length of the longest such event.
_CHOICE = b"[{"
_MAX_COUNTS_BYTES = 4096
#: In a long chunk with up to so many lists the empty list is searched for by its first bracket, at
#: a tenth of the cost of searching for both.
_LONG_BYTES, _MAX_LISTS = 1024, 32


def may_hold_counts(chunk: bytes) -> bool:
    """Whether a read that is exactly one chunk must be examined: it may contain the event, or a
    part of it."""
    if not chunk.endswith(EVENT_END):
        return True
    return _EMPTY_LIST in chunk if len(chunk) < _LONG_BYTES else _has_empty_list(chunk)


def find_choices(chunk: bytes) -> tuple[slice, bytes, slice] | None:
    """For a chunk that `may_hold_counts` accepts: the place where its choices begin, the bytes
    there, and the place of the rest up to its end. Another chunk with the same bytes there, without
    a line feed in the rest and with EVENT_END after it, is one event with choices and need not be
    searched. None: the next chunk must be examined."""
    if may_hold_counts(chunk):
        return None
    for choices in _CHOICES:
        if (at := chunk.find(choices)) >= 0:
            return slice(at, at + len(choices)), choices, slice(at, -len(EVENT_END))
    return NOWHERE


def _has_empty_list(text: bytes) -> bool:
    at = text.find(b"[")
    for _ in range(_MAX_LISTS):
        if at < 0 or text.startswith(_EMPTY_LIST, at):
            return at >= 0
        at = text.find(b"[", at + 1)
    return text.find(_EMPTY_LIST, at) >= 0


class TrimmedBody(ReframedBody):
    """``is_trimmed`` makes the relay call `may_hold_counts` on the fast path."""

    __slots__ = ("_held", "_is_inside")

    is_trimmed = True

    def __init__(self, reader: BodyReader, content: Content, *, bare: bool = False) -> None:
        super().__init__(reader, content, bare=bare)
        #: The beginning of an event that may be the one with counts.
        self._held = b""
        #: Whether the beginning of an event without counts has been sent to the client.
        self._is_inside = False

    @property
    def fast_path_limit(self) -> int:
        short = isinstance(self.reader, ChunkReader) and self.reader.at_boundary
        whole = not self._held and not self._is_inside
        return len(HEADS) if short and whole and not self.bare else 0

    def take(self, data: bytes, used: int, *, unsent: bool) -> bytes:
        payload = self._content.take(b"".join(self.reader.payload), unsent=unsent)
        return self._frame(self._trim(payload))

    def lets_by(self, chunk: bytes) -> bool:
        if not self._content.has_begun or may_hold_counts(chunk):
            return False
        self._content.recall(recalled((chunk,)), missed=False)
        return True

    def recall(self, reads: int, pieces: tuple[bytes, ...]) -> None:
        self._content.recall(recalled(pieces), missed=reads > len(pieces))

    def finish(self, *, unsent: bool) -> bytes | Breach:
        """An event that lacks only its blank line counts too."""
        rest = super().finish(unsent=unsent)
        held, self._held = self._held, b""
        kept = b"" if not self._is_inside and _counts_alone(held) else held
        return rest if isinstance(rest, Breach) else self._frame(kept) + rest

    def _trim(self, payload: bytes) -> bytes:
        """The new bytes, without the event, and without the beginning of what may be it."""
        if (
            payload.endswith(_BLANK_LINE)
            and _EMPTY_LIST not in payload
            and not (self._held or self._is_inside)
        ):
            return payload  # Several events in one read, as on a busy machine.
        text, self._held = self._held + payload, b""
        kept, done = [], 0
        for end in _ends_of_events(text):
            if self._is_inside or not _may_count(text, done, end):
                kept.append(text[done:end])
            done, self._is_inside = end, False
        rest = text[done:]
        if self._is_inside or _is_another(rest):
            # The client's last bytes may be the beginning of a boundary.
            tail = len(rest) - len(rest.rstrip(b"\r\n"))
            self._is_inside, self._held = True, rest[len(rest) - tail :]
            kept.append(rest[: len(rest) - tail])
        else:
            self._held = rest
        return b"".join(kept)


def _ends_of_events(text: bytes) -> Iterator[int]:
    """The positions after two line ends: LF LF, CR LF CR LF, or CR CR. Most lines are long, so that
    searching for their ends is fast."""
    if b"\r\r" in text:
        yield from (found.end() for found in _BLANK_LINES.finditer(text))
        return
    at, done = text.find(b"\n"), 0
    while at >= 0:
        if text.startswith(b"\n", at + 1):
            yield (done := at + 2)
        elif text.startswith(b"\r\n", at + 1) and at > done and text.startswith(b"\r", at - 1):
            yield (done := at + 3)
        at = text.find(b"\n", max(done, at + 1))


def _is_another(beginning: bytes) -> bool:
    """Whether an event with this beginning is not the one with counts."""
    return len(beginning) > _MAX_COUNTS_BYTES or _CHOICE in beginning


def _may_count(text: bytes, start: int, end: int) -> bool:
    return end - start <= _MAX_COUNTS_BYTES and _counts_alone(text[start:end])


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
