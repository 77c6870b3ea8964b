"""JSON in and out: the only import of orjson.

``dumps_stream`` escapes U+2028, U+2029 and U+0085: several SDKs split stream lines at them
(measured with google-genai up to 2.34 and @google/generative-ai 0.24).
"""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["JSONError", "dumps", "dumps_stream", "is_stream_safe", "loads"]

JSONError = orjson.JSONDecodeError

_BREAKERS = (
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
    ("\u0085".encode(), b"\\u0085"),
)


def loads(data: bytes | bytearray | memoryview | str) -> Any:
    """Parse strict JSON (UTF-8, no NaN). Raises JSONError, a ValueError."""
    return orjson.loads(data)


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON."""
    return orjson.dumps(value)


def dumps_stream(value: Any) -> bytes:
    """Compact JSON on one line that no line-splitting client can break."""
    data = orjson.dumps(value)
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
