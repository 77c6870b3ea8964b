"""Reads the reply to an embeddings request as it arrives, and keeps each vector's text unchanged.

Thousands of vectors are tens of megabytes: millions of numbers that the proxy does not need.
Therefore they stay text, and bytes are examined in the round of the loop in which they arrive. The
rest of the document is small: there each vector is replaced by its index.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from typing import Any

from casedesk_proxy.dialects.core.events import MAX_HELD_BYTES, read_object
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import JSONError, dumps, loads

__all__ = ["VectorReader"]

#: The text before a list, or before base64. A vector after more blanks than this stays in the
#: document.
_BEGIN = re.compile(rb'"embedding"[ \t\r\n]{0,64}+:[ \t\r\n]{0,64}+(?=[\["])')
_LONGEST_BEGIN = len(b'"embedding":["') + 2 * 64
_NUMBERS = {int, float}
_DIGITS = b"0123456789.-"


class VectorReader:
    """``feed`` takes the body's bytes, ``finish`` returns the document, and ``text`` returns what
    to write as an entry's ``embedding``: a list, with ``before`` and ``after`` around it. All raise
    StreamBroken; an error that the node sent is raised before a fault of a vector."""

    __slots__ = (
        "_after", "_before", "_document", "_end", "_framing", "_part", "_size", "_tail", "_vectors",
    )  # fmt: skip

    def __init__(self, before: bytes = b"", after: bytes = b"") -> None:
        self._before = before
        self._after = after
        framing = (before + b"[]" + after).translate(None, _DIGITS + b",")
        self._framing = len(framing)
        self._document = bytearray()
        #: The end of the document so far, which may be the beginning of `_BEGIN`.
        self._tail = b""
        #: What ends the current vector; b"" between vectors.
        self._end = b""
        self._part = bytearray()
        #: None for a vector that cannot be read.
        self._vectors: list[bytes | None] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_HELD_BYTES:
            raise StreamBroken("is too large", its="reply")
        if self._tail:
            data, self._tail = self._tail + data, b""
        at = 0
        while at < len(data):
            at = self._read_vector(data, at) if self._end else self._read_document(data, at)

    def finish(self) -> dict[str, Any]:
        return read_object(bytes(self._document + self._tail), "a reply")

    def text(self, value: Any) -> bytes:
        if type(value) is int and 0 <= value < len(self._vectors):
            made = self._vectors[value]
        else:
            made = self._frame(dumps(value)[1:-1]) if isinstance(value, list) else None
        if made is None:
            raise StreamBroken("sent a vector that is not a list of numbers")
        return made

    def _read_document(self, data: bytes, at: int) -> int:
        begin = _BEGIN.search(data, at)
        if begin is None:
            sure = max(at, len(data) - _LONGEST_BEGIN)
            self._document += data[at:sure]
            self._tail = data[sure:]
            return len(data)
        start = begin.end()
        self._document += data[at:start] + b"%d" % len(self._vectors)
        self._end = b"]" if data.startswith(b"[", start) else b'"'
        return start + 1

    def _read_vector(self, data: bytes, at: int) -> int:
        """Numbers and base64 never contain the character that ends a vector."""
        end = data.find(self._end, at)
        piece = memoryview(data)[at : len(data) if end < 0 else end]
        if end < 0 or self._part:
            self._part += piece
        if end < 0:
            return len(data)
        self._vectors.append(self._write(self._part or piece))
        self._part, self._end = bytearray(), b""
        return end + 1

    def _write(self, vector: bytearray | memoryview) -> bytes | None:
        if self._end == b'"':
            floats = _read_floats(bytes(vector))
            return None if floats is None else self._frame(dumps(floats)[1:-1])
        return self._frame(vector)

    def _frame(self, numbers: bytes | bytearray | memoryview) -> bytes | None:
        made = b"".join((self._before, b"[", numbers, b"]", self._after))
        # Digits, points, signs and commas are accepted as numbers, at a tenth of the cost of
        # parsing them.
        rest = made.translate(None, _DIGITS)
        if len(rest) - rest.count(b",") == self._framing:
            return made
        inner = memoryview(made)[len(self._before) : len(made) - len(self._after)]
        return made if _are_numbers(inner) else None


def _are_numbers(vector: memoryview) -> bool:
    try:
        return _NUMBERS.issuperset(map(type, loads(vector)))
    except JSONError:
        return False


def _read_floats(text: bytes) -> tuple[float, ...] | None:
    """Floats from base64 of little-endian float32, whether the client asked for it or not. JSON
    cannot express infinities and NaN: they become null, which is not a number."""
    try:
        raw = base64.b64decode(text.replace(rb"\/", b"/"), validate=True)
        floats: tuple[float, ...] = struct.unpack(f"<{len(raw) // 4}f", raw)
    except (binascii.Error, struct.error):
        return None
    return floats
