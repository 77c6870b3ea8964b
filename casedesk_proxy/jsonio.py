"""JSON in and out: the only import of orjson.

``dumps_stream`` escapes U+2028, U+2029 and U+0085: several SDKs split stream lines at them
(measured with google-genai up to 2.34 and @google/generative-ai 0.24).

What is read may be nested four times deeper than what can be written (measured: 1024 and 254
levels), so a value that came from outside can be refused by ``dumps``.
"""

from __future__ import annotations

from typing import Any

import orjson

__all__ = [
    "JSONError",
    "TooDeep",
    "dumps",
    "dumps_stream",
    "is_deeper",
    "is_stream_safe",
    "loads",
    "read_count",
]

JSONError = orjson.JSONDecodeError


class TooDeep(ValueError):
    """A value that is nested too deeply to be written."""


#: The largest whole number below which all are kept by every reader of JSON, and by Prometheus,
#: which reads it as a float.
_MOST_COUNTED = 2**53

_BREAKERS = (
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
    ("\u0085".encode(), b"\\u0085"),
)


def loads(data: bytes | bytearray | memoryview | str) -> Any:
    """Parse strict JSON (UTF-8, no NaN). Raises JSONError, a ValueError."""
    return orjson.loads(data)


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON. Raises TooDeep."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        if "ecursion" in str(error):
            raise TooDeep from None
        raise


def dumps_stream(value: Any) -> bytes:
    """Compact JSON on one line that no line-splitting client can break. Raises TooDeep."""
    data = dumps(value)
    for raw, escaped in _BREAKERS:
        if raw in data:
            data = data.replace(raw, escaped)
    return data


def is_stream_safe(data: bytes) -> bool:
    """Whether JSON of one line is UTF-8, and such that ``dumps_stream`` would not change it."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return not any(raw in data for raw, _ in _BREAKERS)


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
    """A number of things that somebody else told: a whole number from 0 to 2**53, or None."""
    return value if type(value) is int and 0 <= value <= _MOST_COUNTED else None
