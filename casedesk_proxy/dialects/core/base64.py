"""Base64 as data URIs want it: the standard alphabet, padded."""

from __future__ import annotations

import binascii

__all__ = ["standard_base64"]

_STANDARD = str.maketrans("-_", "+/")
#: Line breaks, which Python's ``encodebytes`` makes, go.
_STANDARD_IN_LINES = str.maketrans("-_", "+/", "\r\n ")


def standard_base64(data: str, *, in_lines: bool = False) -> str | None:
    """None for what is no base64. The URL-safe alphabet is taken, and missing padding: google-genai
    for Python writes both (measured). ``in_lines``: so are blanks and line breaks."""
    data = data.translate(_STANDARD_IN_LINES if in_lines else _STANDARD).rstrip("=")
    data += "=" * (-len(data) % 4)
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        return None
    return data
