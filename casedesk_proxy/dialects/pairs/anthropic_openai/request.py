"""Translates a Messages request to a chat request, to be answered or to be counted."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from casedesk_proxy.dialects.anthropic.fields import KEPT_AT_ANTHROPIC
from casedesk_proxy.dialects.anthropic.request import MessagesRequest, read_request
from casedesk_proxy.dialects.anthropic.writer import AnthropicWriter
from casedesk_proxy.dialects.core.contract import Answered, Context, SideRequest, TranslatedRequest
from casedesk_proxy.dialects.core.counting import read_count
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.core.function_names import ToolNameMap
from casedesk_proxy.dialects.core.thinking import chat_controls
from casedesk_proxy.dialects.openai.builder import STREAMS, declared_names
from casedesk_proxy.dialects.openai.counting import count_chat, count_request
from casedesk_proxy.dialects.pairs.anthropic_openai.fields import (
    chat_formats,
    chat_sampling,
    chat_thinking,
)
from casedesk_proxy.dialects.pairs.anthropic_openai.messages import ChatConversation
from casedesk_proxy.dialects.pairs.anthropic_openai.reply import make_translator, make_writer
from casedesk_proxy.dialects.pairs.anthropic_openai.tools import chat_tools
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import JSONError, dumps, loads
from casedesk_proxy.terms import Call, Dialect, record

__all__ = ["count", "translate"]


def translate(call: Call, body: dict[str, Any], context: Context) -> TranslatedRequest:
    """A Messages request. Raises BadRequest or Unsupported, naming every faulty place."""
    findings = Findings(feature_code="unsupported_anthropic_feature")
    names = ToolNameMap(strict=context.profile.strict_names)
    request = read_request(body, findings)
    chat = _build_chat(request, context, names, findings)
    streams = body.get("stream") is True
    writer = make_writer(context, streams=streams, names=names.given, stops=request.stops)
    translator = make_translator(
        context,
        writer,
        thinks=request.thinking.shown,
        declared=declared_names(chat),
        media=findings.media.violations(),
    )
    return TranslatedRequest(
        path="/v1/chat/completions",
        body=dumps(chat | STREAMS),
        streams=True,
        translator=translator,
        dropped=findings.dropped,
        controls=chat_controls(chat, context.profile.thinking),
        side_request=_ask_for_size(chat, context, writer) if streams else None,
    )


def _write_count(count: int) -> dict[str, Any]:
    return {"input_tokens": count}


def count(call: Call, body: dict[str, Any], context: Context) -> TranslatedRequest | Answered:
    """messages/count_tokens. Raises as ``translate``."""
    findings = Findings(feature_code="unsupported_anthropic_feature")
    names = ToolNameMap(strict=context.profile.strict_names)
    request = read_request(body, findings, counts=True)
    chat = _build_chat(request, context, names, findings)
    return count_chat(chat, context, Dialect.ANTHROPIC, _write_count)


def _build_chat(
    request: MessagesRequest, context: Context, names: ToolNameMap, findings: Findings
) -> dict[str, Any]:
    """The chat request, without the fields that make it stream."""
    profile = context.profile
    if "thread" not in request.kept:
        # After a fault, further findings may only result from the missing turns of the thread.
        findings.raise_faults()
    for name in request.kept:
        findings.refuse(name, KEPT_AT_ANTHROPIC[name])
    conversation = ChatConversation(context, names, findings)
    chat: dict[str, Any] = {"model": context.model, "messages": conversation.build(request)}
    if "thread" not in request.kept:
        findings.raise_faults()
    if conversation.prefilled:
        if profile.prefill is None:
            findings.drop(request.last)
        else:
            chat |= profile.prefill
    tools = chat_tools(request, profile, names, findings)
    chat |= tools.fields
    chat |= chat_sampling(request, profile, findings)
    effort = _effort(request, context, findings)
    chat |= effort
    chat |= chat_formats(request, tools.choice, profile, findings)
    chat |= chat_thinking(request.thinking, bool(effort), profile, findings)
    findings.raise_refusals()
    return chat


def _effort(request: MessagesRequest, context: Context, findings: Findings) -> dict[str, Any]:
    thinking = context.profile.thinking
    if request.effort is None:
        return {}
    if thinking.effort:
        return {"reasoning_effort": thinking.level(request.effort)}
    findings.drop("output_config.effort")
    return {}


def _ask_for_size(
    chat: dict[str, Any], context: Context, writer: AnthropicWriter
) -> SideRequest | None:
    """Asks for the size of the prompt in ``message_start``; the node's own count comes last."""
    asked = count_request(chat, context) if context.count_prompt else None
    return None if asked is None else SideRequest(*asked, _Take(writer))


@record
class _Take:
    """A value rather than a closure, as a planner sends it together with the writer."""

    writer: AnthropicWriter

    def __call__(self, body: bytes) -> None:
        with suppress(JSONError, StreamBroken):
            self.writer.expect(read_count(loads(body)))
