"""Recognises reads that differ from the previous one only in a text, without parsing them.

A token's event is a few hundred bytes in which only the token is new. Finding it and writing it as
JSON again takes 3.3 µs; recognising the event and passing the text on unchanged takes 1.0 µs
(measured, bench/NOTES.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.jsonio import JSONError, is_stream_safe, loads
from casedesk_proxy.wire.sse import EventDecoder

__all__ = ["TextTemplate"]

#: The content of a string that needs no further check. ``\u`` is excluded: it may be half a
#: character, or one that ``dumps_stream`` does not escape.
_PLAIN = re.compile(rb'(?:[^"\\\x00-\x1f]++|\\["\\bfnrt])++')
#: A text that no node sends, as JSON and as a Python string.
_PROBE, _PROBED = rb"\b\f?\f\b", "\b\f?\f\b"
#: After so many reads in a row without a usable template, learning stops: some nodes change a time
#: or a count in each event.
_MAX_FAILED_READS = 8
#: In longer reads a parser finds the text faster than a regular expression (measured: equally fast
#: at 1 000 bytes, three times as fast at 4 000).
_MOST_BYTES = 1024
#: Longer than any read: nothing is recognised.
_UNREACHABLE_BYTES = 1 << 62


class TextTemplate:
    """``read`` returns the text of a read that otherwise equals the template: as a JSON string,
    quotes included, that is valid on a stream's line; None for any other read.

    ``key`` is the name of the text's field, ``find`` returns that field of an event's data. By
    calling ``learn`` a caller states that the read was exactly one whole event, and that such an
    event only adds its text, whatever it is, until ``forget``.
    """

    __slots__ = ("_after", "_before", "_find", "_key", "_least", "_patience")

    def __init__(self, key: bytes, find: Callable[[Any], Any]) -> None:
        self._key = b'"' + key + b'":"'
        self._find = find
        self._patience = _MAX_FAILED_READS if is_on(Trick.TEMPLATE) else 0
        self.forget()

    @property
    def learns(self) -> bool:
        """Whether learning is still worthwhile."""
        return self._patience > 0

    def read(self, data: bytes) -> bytes | None:
        if (
            not self._least < len(data) <= _MOST_BYTES
            or not data.startswith(self._before)
            or not data.endswith(self._after)
        ):
            return None
        text = data[len(self._before) - 1 : len(data) - len(self._after) + 1]
        if _PLAIN.fullmatch(text, 1, len(text) - 1) is None or not is_stream_safe(text):
            return None
        self._patience = _MAX_FAILED_READS
        return text

    def learn(self, data: bytes) -> None:
        """Remember this read as the template, unless the place of its text is ambiguous."""
        self.forget()
        if not self.learns or len(data) > _MOST_BYTES:
            return
        self._patience -= 1
        place = data.find(self._key)
        text = _PLAIN.match(data, place + len(self._key))
        if place < 0 or text is None or not data.startswith((b"data:", b"event:")):
            return
        before, after = data[: text.start()], data[text.end() :]
        if after.startswith(b'"') and after.endswith(b"\n\n") and self._is_hole(before, after):
            self._before, self._after = before, after
            self._least = len(before) + len(after)

    def _is_hole(self, before: bytes, after: bytes) -> bool:
        """Whether a text inserted between the two parts becomes the event's text."""
        events = EventDecoder().feed(before + _PROBE + after)
        try:
            return len(events) == 1 and self._find(loads(events[0][1])) == _PROBED
        except (JSONError, LookupError, TypeError):
            return False

    def forget(self) -> None:
        self._before = self._after = b""
        self._least = _UNREACHABLE_BYTES
