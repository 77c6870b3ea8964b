"""The controls of thinking in a request, and which of them a node's refusal is about.

Clients send an effort or a budget with every request by default, and many models accept none: a
request that a node refuses for such a control is sent again without it. The patterns are from the
sources of vLLM 0.32, SGLang 0.5.23 and Ollama 0.32, and from OpenAI's and Anthropic's errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from casedesk_proxy.dialects.node_errors.documents import own_words, reason_of
from casedesk_proxy.engines.profile import Thinking
from casedesk_proxy.jsonio import JSONError, loads
from casedesk_proxy.terms import Control

__all__ = ["chat_controls", "find_refused", "find_suspected", "messages_controls", "read_refusal"]

_PLAIN = frozenset({"low", "medium", "high"})
#: How refusals name the field of a control.
_SIGNS = {
    "chat_template_kwargs": re.compile(r"chat_template|enable_thinking"),
    # Some refusals only list the accepted values.
    "reasoning_effort": re.compile(r"effort|\blow\b"),
    "thinking_token_budget": re.compile(r"budget"),
    "thinking_budget_tokens": re.compile(r"budget"),
    "thinking": re.compile(r"budget|thinking\.(?:type|enabled|disabled)"),
    "output_config": re.compile(r"effort|output_config"),
}
_THINKING = re.compile(r"thinking|reasoning")
#: Refuses the field itself, whatever its value.
_UNKNOWN = re.compile(r"unrecogni[sz]ed|unknown|unsupported param|not permitted|extra_forbidden")
#: Reasons of refusals that have nothing to do with thinking.
_OTHER = re.compile(
    r"context|token|length|too l|image|audio|video|modal|media|role|alternat|system|tool|function"
    r"|messages|format|schema|grammar|model|stop|temperature|top_[pk]|seed|logprobs|auth|key"
)
#: How many characters of a refusal are examined.
_MAX_LOOKED_AT_CHARS = 4096


def chat_controls(chat: Mapping[str, Any], thinking: Thinking) -> dict[Control, str]:
    """The controls of a chat body, each with its field."""
    found: dict[Control, str] = {}
    effort = chat.get("reasoning_effort")
    if thinking.off and all(chat.get(name) == value for name, value in thinking.off.items()):
        found[Control.OFF] = next(iter(thinking.off))
    if effort not in (None, "none"):
        _add_effort(found, effort, "reasoning_effort")
    if thinking.budget and thinking.budget in chat:
        found[Control.BUDGET] = thinking.budget
    return found


def messages_controls(made: Mapping[str, Any]) -> dict[Control, str]:
    """The controls of a Messages body."""
    found: dict[Control, str] = {}
    thinking, output = made.get("thinking"), made.get("output_config")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind in ("enabled", "disabled"):
        found[Control.BUDGET if kind == "enabled" else Control.OFF] = "thinking"
    effort = output.get("effort") if isinstance(output, dict) else None
    if effort is not None:
        _add_effort(found, effort, "output_config")
    return found


def _add_effort(found: dict[Control, str], effort: Any, name: str) -> None:
    found[Control.EFFORT] = name
    if effort not in _PLAIN:
        found[Control.LEVELS] = name


def read_refusal(status: int, body: bytes) -> str:
    """The text of an error reply, or of an error that is the first event of a stream; "" if the
    node refused nothing."""
    document = _document(body if status >= 400 else _first_event(body))
    if status < 400:
        wrong = isinstance(document, dict) and (
            "error" in document or "error" in (document.get("object"), document.get("type"))
        )
        if not wrong:
            return ""
    return str(document)[:_MAX_LOOKED_AT_CHARS].lower()


def find_refused(controls: Mapping[Control, str], status: int, text: str) -> frozenset[Control]:
    """Those of ``controls`` that a refusal is about, or may be about; none if it gives another
    reason. ``status`` is that of the reply, 200 for an error inside it."""
    found = {control for control, name in controls.items() if _SIGNS[name].search(text)}
    if found:
        if Control.LEVELS in found and not _UNKNOWN.search(text):
            # A similar level may be accepted.
            found.discard(Control.EFFORT)
        return frozenset(found)
    unexplained = status in (400, 422) and not _OTHER.search(text)
    return frozenset(controls) if _THINKING.search(text) or unexplained else frozenset()


def find_suspected(controls: Mapping[Control, str], status: int, body: bytes) -> frozenset[Control]:
    """The same for a request that was not sent again, so that nothing proves that it would have
    been accepted: judged only by the node's own words, not by what it quotes or does not say."""
    if not read_refusal(status, body):
        return frozenset()
    document = _document(body if status >= 400 else _first_event(body))
    words = own_words(reason_of(document)[:_MAX_LOOKED_AT_CHARS].lower())
    return find_refused(controls, 200, words) if words else frozenset()


def _first_event(body: bytes) -> bytes:
    for line in body.splitlines():
        if line.startswith(b"data:"):
            return line[5:].strip()
    return body


def _document(text: bytes) -> Any:
    try:
        return loads(text)
    except JSONError:
        return text.decode("utf-8", "replace")
