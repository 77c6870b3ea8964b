"""JSON in and out: the only import of orjson.

orjson reads whole numbers beyond 64 bits as floats and cannot write them, and refuses half a
surrogate pair. If that would change or lose data, ``loads_exact`` and ``loads_repaired`` are the
slower alternatives.

``dumps_stream`` escapes U+2028, U+2029 and U+0085: several SDKs split stream lines at them
(measured with google-genai up to 2.34 and @google/generative-ai 0.24).

Values that are read may be nested four times deeper than values that can be written (measured: 1024
and 254 levels), so ``dumps`` may refuse a value that came from outside.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

__all__ = [
    "MAX_COUNT",
    "JSONError",
    "PieceRepair",
    "TooDeep",
    "dumps",
    "dumps_stream",
    "is_deeper",
    "is_stream_safe",
    "loads",
    "loads_exact",
    "loads_repaired",
    "read_count",
    "with_exact_numbers",
]

JSONError = orjson.JSONDecodeError


class TooDeep(ValueError):
    """A value that is nested too deeply to be written."""


#: The largest count that is believed: no model reads or writes so much, every JSON reader and
#: Prometheus are exact up to it, and the ledger can add up millions of them in its 64 bits.
MAX_COUNT = 2**40

_BREAKERS = (
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
    ("\u0085".encode(), b"\\u0085"),
)
#: By their first byte, for which memory is searched 20 times as fast.
_BREAKERS_BY_LEAD = ((b"\xe2", (b"\xe2\x80\xa8", b"\xe2\x80\xa9")), (b"\xc2", (b"\xc2\x85",)))
#: In shorter data a search for each of them is faster than a search for their first bytes.
_LONG_BYTES = 2048
#: After so many other characters with the same first byte (quotes, dashes) many more are likely.
_MAX_LEADS = 16

#: Every escape of a string, in order: a whole surrogate pair, half of one, any other.
_ESCAPE = (
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|u[0-9a-fA-F]{4}|[^u])"
)
_ESCAPES, _ESCAPES_IN_BYTES = re.compile(_ESCAPE, re.S), re.compile(_ESCAPE.encode(), re.S)
_LONGEST_ESCAPE = len(r"\ud83d\ude00")
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
#: The most digits that a whole number of 64 bits surely has room for.
_LONG_NUMBER = b"0" * 19
_DIGITS_ALIKE = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))


def loads(data: bytes | bytearray | memoryview | str) -> Any:
    """Parse strict JSON (UTF-8, no NaN). Raises JSONError, a ValueError."""
    return orjson.loads(data)


def loads_repaired(data: bytes) -> Any:
    """As ``loads``, but half of a surrogate pair becomes U+FFFD: models break an emoji in two, and
    the rest of their text is valid. Raises JSONError."""
    try:
        return orjson.loads(data)
    except JSONError:
        if not _HALF.search(data):
            raise
    return orjson.loads(_repair(data))


def loads_exact(data: bytes) -> Any:
    """As ``loads_repaired``, with whole numbers of any size exact. Raises JSONError."""
    return with_exact_numbers(loads_repaired(data), data)


def with_exact_numbers(value: Any, data: bytes) -> Any:
    """``value``, which orjson made of ``data``, or a corrected one if ``data`` has whole numbers
    beyond 64 bits. Costs 1.5 ms for a megabyte (CPython 3.11)."""
    if _LONG_NUMBER not in data.translate(_DIGITS_ALIKE):
        return value
    try:
        return json.loads(_repair(data))
    except (ValueError, RecursionError):
        return value  # orjson reads deeper values; they cannot be written either


def _repair(data: bytes) -> bytes:
    return _ESCAPES_IN_BYTES.sub(lambda found: rb"\ufffd" if found["half"] else found[0], data)


class PieceRepair:
    """Does the same as ``loads_repaired`` for the text of a JSON value that arrives in pieces."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        #: The beginning of an escape, or half of a pair whose other half may follow.
        self._held = ""

    def feed(self, piece: str) -> str:
        """The part of the text that is certain."""
        text = self._held + piece
        if "\\" not in text:
            return text
        last, end = None, 0
        for last in _ESCAPES.finditer(text):
            end = last.end()
        cut = text.find("\\", end)
        if cut < 0 or len(text) - cut > _LONGEST_ESCAPE:
            cut = len(text)  # no escape begins there, or an invalid one
        if last is not None and last["half"] and last.end() == cut:
            cut = last.start()
        self._held = text[cut:]
        return self._repair(text[:cut])

    def finish(self) -> str:
        """What was held back; a broken escape is unchanged."""
        rest, self._held = self._held, ""
        return self._repair(rest)

    @staticmethod
    def _repair(text: str) -> str:
        return _ESCAPES.sub(lambda found: r"\ufffd" if found["half"] else found[0], text)


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON. Raises TooDeep."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        if "ecursion" in str(error):
            raise TooDeep from None
        if "64-bit" not in str(error):
            raise
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise TooDeep from None
    return text.encode()


def dumps_stream(value: Any) -> bytes:
    """Compact JSON on one line that no client splits in the middle. Raises TooDeep."""
    data = dumps(value)
    if data.isascii() or not _has_breaker(data):
        return data
    for raw, escaped in _BREAKERS:
        if raw in data:
            data = data.replace(raw, escaped)
    return data


def is_stream_safe(data: bytes) -> bool:
    """Whether JSON on one line is UTF-8 and would not be changed by ``dumps_stream``."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return not _has_breaker(data)


def _has_breaker(data: bytes) -> bool:
    if len(data) < _LONG_BYTES:
        return any(raw in data for raw, _ in _BREAKERS)
    for lead, breakers in _BREAKERS_BY_LEAD:
        at = data.find(lead)
        for _ in range(_MAX_LEADS):
            if at < 0:
                break
            if data.startswith(breakers, at):
                return True
            at = data.find(lead, at + 1)
        if at >= 0 and any(data.find(one, at) >= 0 for one in breakers):
            return True
    return False


def is_deeper(value: Any, than: int) -> bool:
    """Whether lists and objects are nested in more than so many levels."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(than):
        level = [
            child
            for one in level
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, dict | list)
        ]
    return bool(level)


def read_count(value: Any) -> int | None:
    """A count from outside: a whole number from 0 to 2**40, or None."""
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None
