"""How long a client should wait: Retry-After."""

from __future__ import annotations

import math

from casedesk_proxy.errors import ProxyError

__all__ = ["error_pause", "whole_seconds"]

#: anthropic from 1.17 on sleeps for as long as the header says; openai gives up above 120 s
#: (source).
_MAX_RETRY_AFTER_S = 60


def whole_seconds(pause_s: float) -> int:
    """A pause in seconds in the form of Retry-After: whole, 1 to 60."""
    return math.ceil(max(1, pause_s)) if pause_s <= _MAX_RETRY_AFTER_S else _MAX_RETRY_AFTER_S


def error_pause(error: ProxyError) -> int:
    """Seconds. For an error that programs must not repeat, the real time: it is for people."""
    pause_s = error.retry_after or 0.0
    return whole_seconds(pause_s) if error.repeatable else math.ceil(max(1, pause_s))
