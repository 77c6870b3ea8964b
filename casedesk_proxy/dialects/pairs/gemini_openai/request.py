"""Translates a GenerateContentRequest to a chat request, to be answered or to be counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from casedesk_proxy.dialects.core.contract import Answered, Context, TranslatedRequest
from casedesk_proxy.dialects.core.counting import COUNTED
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.core.thinking import chat_controls
from casedesk_proxy.dialects.gemini.blocks import Media
from casedesk_proxy.dialects.gemini.request import (
    function_names,
    read_count_request,
    read_request,
)
from casedesk_proxy.dialects.openai.builder import STREAMS, declared_names
from casedesk_proxy.dialects.openai.counting import count_chat
from casedesk_proxy.dialects.pairs.gemini_openai.fields import (
    chat_format,
    chat_sampling,
    chat_thinking,
    chat_tools,
    check_together,
    prefill_fields,
    template_fields,
    tool_fields,
)
from casedesk_proxy.dialects.pairs.gemini_openai.messages import chat_messages
from casedesk_proxy.dialects.pairs.gemini_openai.reply import make_translator
from casedesk_proxy.jsonio import dumps
from casedesk_proxy.terms import Call, Dialect

__all__ = ["count", "translate"]


def translate(call: Call, body: dict[str, Any], context: Context) -> TranslatedRequest:
    """A generateContent or streamGenerateContent request. Raises BadRequest or Unsupported."""
    findings = Findings(context.refuse_unknown)
    request = read_request(body, findings)
    profile = context.profile
    names = function_names(request) if profile.strict_names else {}
    chat: dict[str, Any] = {
        "model": context.model,
        "messages": chat_messages(request, profile, context, names, findings),
        **STREAMS,
        **chat_sampling(request.config, profile, findings),
        **chat_format(request, profile, findings),
        **tool_fields(request.tools, profile, names, findings),
        **chat_thinking(request.config, profile, findings),
        **prefill_fields(request, profile, findings),
    }
    check_together(request, profile, findings)
    findings.raise_refusals()
    return TranslatedRequest(
        path="/v1/chat/completions",
        body=dumps(chat),
        streams=True,
        translator=make_translator(
            context,
            call.framing,
            thoughts=request.config.thoughts,
            names={new: old for old, new in names.items()},
            wanted=request.config.candidates,
            declared=declared_names(chat),
            media=findings.media.violations(),
        ),
        dropped=findings.dropped,
        controls=chat_controls(chat, profile.thinking),
    )


def _write_count(count: int) -> dict[str, Any]:
    return {"totalTokens": count}


def count(call: Call, body: dict[str, Any], context: Context) -> TranslatedRequest | Answered:
    """countTokens. Raises BadRequest or Unsupported."""
    findings = Findings(context.refuse_unknown)
    request = read_count_request(body, findings)
    profile = context.profile
    names = function_names(request) if profile.strict_names else {}
    chat = {
        "messages": chat_messages(request, profile, context, names, Findings()),
        "tools": chat_tools(request.tools.functions, profile, names),
        **template_fields(request, profile),
    }
    findings.raise_refusals()
    counted = count_chat(chat, context, Dialect.GEMINI, _write_count)
    seen = any(isinstance(block, Media) for turn in request.turns for block in turn.blocks)
    if seen and not counted.headers:
        return replace(counted, headers=((COUNTED, "text-only"),))
    return counted
