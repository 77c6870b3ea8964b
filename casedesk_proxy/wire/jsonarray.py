"""A JSON array that arrives as a stream, as Google sends one without ``alt=sse``: finds where each
element ends, and whether the position is between two elements.

The scanner examines only the structure; the reader of an element checks that it is valid JSON.
"""

from __future__ import annotations

import re

from casedesk_proxy.terms import Position

__all__ = ["MAX_ELEMENT_BYTES", "ArrayScanner", "ArrayTooLarge", "ArrayWriter", "NotAnArray"]

#: The same limit as for an event.
MAX_ELEMENT_BYTES = 16 * 1024 * 1024
#: No API nests its replies more deeply, and parsers do not have to.
MAX_DEPTH = 1000

_BLANKS = b" \t\r\n"
#: The bytes that matter outside strings, and inside them.
_STRUCTURE = re.compile(rb'["{}\[\],]')
_STRING = re.compile(rb'["\\]')


class NotAnArray(ValueError):
    """The bytes are not one JSON array."""


class ArrayTooLarge(ValueError):
    """An element grew beyond the limit, or too deep."""


class ArrayScanner:
    """Takes bytes, returns whole elements.

    ``at_boundary``: an element, or the end, could follow here, since no part of an unfinished
    element has been read. ``ended``: the closing bracket has been read. Raises NotAnArray or
    ArrayTooLarge and nothing else; the scanner must not be used after that.
    """

    __slots__ = (
        "_depth",
        "_escaped",
        "_filled",
        "_held",
        "_in_string",
        "_limit",
        "_scalar",
        "_wants_value",
        "begun",
        "ended",
    )

    def __init__(self, limit: int = MAX_ELEMENT_BYTES) -> None:
        self._limit = limit
        self._held = bytearray()  # the unfinished element
        self._depth = 0  # 0: before the array; 1: in it
        self._in_string = False
        self._escaped = False
        self._scalar = False
        self._filled = False  # the array has an element
        self._wants_value = False  # after a comma
        self.begun = False
        self.ended = False

    @property
    def at_boundary(self) -> bool:
        return self.begun and not self.ended and not self._held

    @property
    def separator(self) -> bytes:
        """What must be written before another element here, if one may follow."""
        return b"," if self._filled and not self._wants_value else b""

    def feed(self, data: bytes) -> list[bytes]:
        """The elements that ``data`` completes, in order."""
        elements: list[bytes] = []
        position, end = 0, len(data)
        while position < end:
            if self._held and not self._scalar:
                position = self._inside(data, position, elements)
            elif self._scalar:
                position = self._through_scalar(data, position, elements)
            else:
                position = self._outside(data, position)
        return elements

    def _outside(self, data: bytes, position: int) -> int:
        """Read one byte that belongs to the array itself, or begins an element."""
        byte = data[position]
        if byte in _BLANKS:
            return position + 1
        if self.ended:
            raise NotAnArray("unexpected data after the array")
        if not self.begun:
            if byte != 0x5B:
                raise NotAnArray("no opening bracket")
            self.begun, self._depth = True, 1
        elif byte == 0x5D:
            if self._wants_value:
                raise NotAnArray("no element after a comma")
            self.ended = True
        elif byte == 0x2C:
            if not self._filled or self._wants_value:
                raise NotAnArray("no element before a comma")
            self._wants_value = True
        elif self._filled and not self._wants_value:
            raise NotAnArray("no comma between elements")
        else:
            self._filled, self._wants_value = True, False
            self._scalar = byte not in b'"{['
            self._hold(data[position : position + 1])
            self._enter(byte)
        return position + 1

    def _enter(self, byte: int) -> None:
        if byte == 0x22:
            self._in_string = True
        elif byte in b"{[":
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise ArrayTooLarge("an element is nested too deep")

    def _inside(self, data: bytes, position: int, elements: list[bytes]) -> int:
        """Read as much of the unfinished element as ``data`` holds."""
        start = position
        while position < len(data):
            if self._in_string:
                position = self._through_string(data, position)
            else:
                found = _STRUCTURE.search(data, position)
                if found is None:
                    position = len(data)
                    break
                position = found.end()
                byte = data[position - 1]
                if byte in b"}]":
                    self._depth -= 1
                else:
                    self._enter(byte)
            if self._depth == 1 and not self._in_string:
                self._hold(data[start:position])
                self._complete(elements)
                return position
        self._hold(data[start:position])
        return position

    def _through_string(self, data: bytes, position: int) -> int:
        if self._escaped:
            self._escaped = False
            return position + 1
        found = _STRING.search(data, position)
        if found is None:
            return len(data)
        if found[0] == b'"':
            self._in_string = False
        else:
            self._escaped = True
        return found.end()

    def _through_scalar(self, data: bytes, position: int, elements: list[bytes]) -> int:
        """Read a number or a word: only the byte after it shows its end."""
        start = position
        while position < len(data) and data[position] not in b" \t\r\n,]":
            position += 1
        self._hold(data[start:position])
        if position < len(data):
            self._complete(elements)
        return position

    def _hold(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > self._limit:
            raise ArrayTooLarge(f"an element exceeds {self._limit} bytes")

    def _complete(self, elements: list[bytes]) -> None:
        elements.append(bytes(self._held))
        self._held.clear()
        self._scalar = False


class ArrayWriter:
    """The array in Google's layout: each element is sent as soon as it is known.

    The opening bracket is the first byte, and nothing follows the closing one: both matter to
    google-generativeai (0.8.6).
    """

    __slots__ = ("_opened", "_started")

    def __init__(self) -> None:
        self._started = False
        self._opened = False  # the bracket was written, an element was not

    def element(self, json: bytes) -> bytes:
        opened, started = self._opened, self._started
        self._opened, self._started = False, True
        return json if opened else (b"\n,\r\n" if started else b"[") + json

    @property
    def position(self) -> Position:
        if not self._started:
            return Position.UNOPENED
        return Position.OPENED if self._opened else Position.BETWEEN

    def blank(self) -> bytes:
        """A keepalive: blanks that no reader sees."""
        if self._started:
            return b"\n"
        self._started = self._opened = True
        return b"["

    def close(self) -> bytes:
        return b"\n]" if self._started else b"[]"
