"""Translates a GenerateContentRequest to a Messages request, to be answered or to be counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from casedesk_proxy.dialects.core.body_translator import BodyTranslator
from casedesk_proxy.dialects.core.contract import Answered, Context, TranslatedRequest
from casedesk_proxy.dialects.core.counting import COUNTED, estimate_tokens, read_count
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.core.thinking import messages_controls
from casedesk_proxy.dialects.gemini.request import (
    function_names,
    read_count_request,
    read_request,
)
from casedesk_proxy.dialects.pairs.gemini_anthropic.fields import (
    MAX_TOKENS,
    output_fields,
    sampling_fields,
    thinking_fields,
    tool_fields,
)
from casedesk_proxy.dialects.pairs.gemini_anthropic.messages import conversation_fields
from casedesk_proxy.dialects.pairs.gemini_anthropic.reply import make_translator
from casedesk_proxy.engines.profile import IMAGES
from casedesk_proxy.jsonio import dumps
from casedesk_proxy.terms import Call, Dialect, Usage

__all__ = ["count", "translate"]


def translate(call: Call, body: dict[str, Any], context: Context) -> TranslatedRequest:
    """A generateContent or streamGenerateContent request. Raises BadRequest or Unsupported."""
    findings = Findings(context.refuse_unknown)
    request = read_request(body, findings)
    profile = context.profile
    route = profile.messages
    names = function_names(request) if route.exact else {}
    limit = request.config.max_tokens or context.output_limit or MAX_TOKENS
    made: dict[str, Any] = {
        "model": context.model,
        "max_tokens": limit,
        **conversation_fields(request, context, profile, names, findings),
        "stream": True,
        **sampling_fields(request.config, profile, findings),
        **tool_fields(request, route, names, findings),
        **thinking_fields(request.config, limit, route, findings),
    }
    output = output_fields(request, route, findings)
    if output:
        made["output_config"] = output
    findings.raise_refusals()
    return TranslatedRequest(
        path="/v1/messages",
        body=dumps(made),
        streams=True,
        translator=make_translator(
            context,
            call.framing,
            thoughts=request.config.thoughts,
            names={new: old for old, new in names.items()},
            media=findings.media.violations(),
        ),
        dropped=findings.dropped,
        controls=messages_controls(made),
    )


def count(call: Call, body: dict[str, Any], context: Context) -> TranslatedRequest | Answered:
    """countTokens, by the node's own ``count_tokens``. Raises BadRequest or Unsupported."""
    findings = Findings(context.refuse_unknown)
    request = read_count_request(body, findings)
    profile = context.profile
    route = profile.messages
    names = function_names(request) if route.exact else {}
    readable = replace(profile, images=IMAGES, messages=replace(route, documents=True))
    counted = {
        "model": context.model,
        **conversation_fields(request, context, readable, names, findings),
        **tool_fields(request, route, names, Findings()),
    }
    findings.raise_refusals()
    if not route.counts:
        number = estimate_tokens(dumps([counted["messages"], counted.get("system")]))
        return Answered(dumps({"totalTokens": number}), ((COUNTED, "estimate"),))

    return TranslatedRequest(
        path="/v1/messages/count_tokens",
        body=dumps(counted),
        streams=False,
        translator=BodyTranslator(Dialect.GEMINI, context.asked, _write_count),
    )


def _write_count(document: dict[str, Any]) -> tuple[dict[str, Any], Usage]:
    return {"totalTokens": read_count(document)}, Usage()
