"""How long a client is told to wait."""

from __future__ import annotations

import math

__all__ = ["whole_seconds"]

#: anthropic from 1.17 on sleeps for whatever it is told, openai gives up above 120 s (source).
_MAX_RETRY_AFTER_S = 60


def whole_seconds(pause: float) -> int:
    """A pause in seconds as Retry-After may say it: whole, 1 to 60."""
    return math.ceil(max(1, pause)) if pause <= _MAX_RETRY_AFTER_S else _MAX_RETRY_AFTER_S
