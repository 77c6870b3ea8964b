"""Finish reasons of nodes that speak OpenAI: which of them end an answer, and how.

An engine that stops a generation for its own reasons says so in the same place: vLLM's ``abort``
(it shuts down, sleeps, is scaled down) and SGLang's, DeepSeek's ``insufficient_system_resource``,
``error``. None of these is the model's end, and a word that nobody knows may be another of them,
so only what is listed here finishes an answer.
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
    # TGI's, and those of services that pass their own words on.
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
    """Raises StreamBroken for a reason that ends no answer."""
    # Gateways to Google pass on STOP and MAX_TOKENS.
    finish = _ENDS.get(reason.lower()) if isinstance(reason, str) else None
    if finish is not None:
        return finish
    word = reason if isinstance(reason, str) and _WORD.fullmatch(reason) else "unknown"
    raise StreamBroken(f"the node stopped before its answer was complete (finish reason: {word})")
