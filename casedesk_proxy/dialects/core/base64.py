"""Base64 as data URIs need it: the standard alphabet, padded."""

from __future__ import annotations

import binascii

__all__ = ["standard_base64"]

_STANDARD = str.maketrans("-_", "+/")
#: Removes line breaks, which Python's ``encodebytes`` makes.
_STANDARD_IN_LINES = str.maketrans("-_", "+/", "\r\n ")


def standard_base64(data: str, *, in_lines: bool = False) -> str | None:
    """None if the text is not base64. Missing padding is accepted, and the URL-safe alphabet, which
    google-genai 3.6.1 for Python sends. ``in_lines``: so are blanks and line breaks."""
    data = data.translate(_STANDARD_IN_LINES if in_lines else _STANDARD).rstrip("=")
    data += "=" * (-len(data) % 4)
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        return None
    return data
