"""The sentences by which clients recognise that a request is too long, for each surface.

``docs/errors.md`` lists which version of which client recognises which words.
"""

from __future__ import annotations

from casedesk_proxy.dialects.node_errors.limits import Excess, Excessive
from casedesk_proxy.errors import BadRequest, ProxyError
from casedesk_proxy.terms import Dialect

__all__ = ["excess_fault"]

_OPENAI = (Dialect.OPENAI, Dialect.RESPONSES)
#: By these Anthropic's clients know what is too long.
_PROMPT_TOO_LONG = "prompt is too long"
_TOGETHER_TOO_LONG = "input length and `max_tokens` exceed context limit"


def excess_fault(surface: Dialect, excess: Excess) -> ProxyError | None:
    """None if a surface has no such words: then the node's reason is clearer."""
    if excess.what is Excessive.REPLY:
        return None
    is_together = excess.what is Excessive.TOGETHER
    words = _TOGETHER if is_together else _PROMPT
    code = "context_length_exceeded" if surface in _OPENAI else None
    fault = BadRequest(words[surface](excess), code=code)
    if surface is Dialect.ANTHROPIC:
        fault.known_by = _TOGETHER_TOO_LONG if is_together else _PROMPT_TOO_LONG
    return fault


def _prompt_anthropic(excess: Excess) -> str:
    if excess.prompt is None or excess.room is None:
        return _PROMPT_TOO_LONG
    return f"{_PROMPT_TOO_LONG}: {excess.prompt} tokens > {excess.room} maximum"


def _prompt_gemini(excess: Excess) -> str:
    tokens = room = ""
    if excess.prompt is not None and excess.room is not None:
        tokens, room = f" ({excess.prompt})", f" ({excess.room})"
    return f"The input token count{tokens} exceeds the maximum number of tokens allowed{room}."


def _prompt_openai(excess: Excess) -> str:
    if excess.prompt is None or excess.room is None:
        return "The request exceeds this model's maximum context length."
    return (
        f"This model's maximum context length is {excess.room} tokens; "
        f"the request needs {excess.prompt}."
    )


def _together_anthropic(excess: Excess) -> str:
    return (
        f"{_TOGETHER_TOO_LONG}: {excess.prompt} + {excess.reply} > {excess.room}, decrease input"
        " length or `max_tokens` and try again"
    )


def _together_gemini(excess: Excess) -> str:
    return (
        f"The input tokens ({excess.prompt}) and generationConfig.maxOutputTokens ({excess.reply}) "
        f"together exceed the model's context of {excess.room} tokens; decrease maxOutputTokens."
    )


def _together_openai(excess: Excess) -> str:
    assert excess.prompt is not None
    assert excess.reply is not None
    return (
        f"This model's maximum context length is {excess.room} tokens. However, you requested "
        f"{excess.prompt + excess.reply} tokens ({excess.prompt} in the messages, {excess.reply} "
        "in the completion). Please reduce the length of the messages or completion."
    )


_PROMPT = {
    Dialect.ANTHROPIC: _prompt_anthropic,
    Dialect.GEMINI: _prompt_gemini,
    Dialect.OPENAI: _prompt_openai,
    Dialect.RESPONSES: _prompt_openai,
    Dialect.OLLAMA: _prompt_openai,
}
_TOGETHER = {
    Dialect.ANTHROPIC: _together_anthropic,
    Dialect.GEMINI: _together_gemini,
    Dialect.OPENAI: _together_openai,
    Dialect.RESPONSES: _together_openai,
    Dialect.OLLAMA: _together_openai,
}
