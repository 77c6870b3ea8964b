"""Finish reasons of nodes that speak OpenAI: which of them end an answer, and how.

An engine that stops a generation for reasons of its own reports that in the same field: ``abort``
of vLLM (it shuts down, sleeps, is scaled down) and of SGLang, DeepSeek's
``insufficient_system_resource``, ``error``. None of these is the model's end, and an unknown reason
may be another of them, so only the reasons listed here finish an answer.
"""

from __future__ import annotations

import re
from typing import Any

from casedesk_proxy.dialects.core.reply import Finish
from casedesk_proxy.errors import StreamBroken

__all__ = ["read_finish"]


_ENDS = {
    "stop": Finish.STOP,
    "tool_calls": Finish.STOP,
    "function_call": Finish.STOP,
    # Reasons of TGI, and of services that pass on other vendors' reasons.
    "eos_token": Finish.STOP,
    "eos": Finish.STOP,
    "end_turn": Finish.STOP,
    "tool_use": Finish.STOP,
    "stop_sequence": Finish.STOP_SEQUENCE,
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "model_length": Finish.LENGTH,
    "content_filter": Finish.FILTER,
    "repetition": Finish.REPETITION,
}
_WORD = re.compile(r"[a-z][a-z_]{0,39}", re.IGNORECASE)


def read_finish(reason: Any) -> Finish:
    """Raises StreamBroken for a reason that does not end an answer."""
    # Gateways to Google send STOP and MAX_TOKENS.
    finish = _ENDS.get(reason.lower()) if isinstance(reason, str) else None
    if finish is not None:
        return finish
    word = reason if isinstance(reason, str) and _WORD.fullmatch(reason) else "unknown"
    raise StreamBroken(f"stopped before its answer was complete (finish reason: {word})")
