"""Counting a prompt's tokens: by the node's own tokenizer, or by an estimate that says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.dialects.anthropic import request as anthropic_request
from casedesk_proxy.dialects.core.body_translator import BodyTranslator
from casedesk_proxy.dialects.core.contract import Answered, Context, Transposed
from casedesk_proxy.dialects.core.findings import Findings
from casedesk_proxy.dialects.core.thinking import chat_controls
from casedesk_proxy.dialects.gemini.contents import Media
from casedesk_proxy.dialects.gemini.request import read_count_request
from casedesk_proxy.dialects.pairs.gemini_openai import (
    chat_messages,
    chat_tools,
    node_names,
    template_fields,
)
from casedesk_proxy.engines.profile import Counter
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import dumps
from casedesk_proxy.terms import Call, Dialect, Usage

__all__ = [
    "COUNTED",
    "count_for_anthropic",
    "count_for_gemini",
    "count_question",
    "estimate_tokens",
    "read_count",
]

#: Header of a reply whose number is not the tokenizer's count of the whole prompt: ``estimate``,
#: or ``text-only`` where media could not be counted.
COUNTED = "x-casedesk-token-count"
#: Bytes of UTF-8 a token, as a rule of thumb over languages and code.
_BYTES_PER_TOKEN = 4
#: Of a chat request, what changes how its template writes the prompt.
_TEMPLATE_FIELDS = ("chat_template_kwargs", "add_generation_prompt", "continue_final_message")


def count_for_gemini(call: Call, body: dict[str, Any], context: Context) -> Transposed | Answered:
    """countTokens. Raises BadRequest or Unsupported."""
    findings = Findings(context.refuse_unknown)
    request = read_count_request(body, findings)
    profile = context.profile
    names = node_names(request) if profile.strict_names else {}
    chat = {
        "messages": chat_messages(request, profile, context, names, Findings()),
        "tools": chat_tools(request.tools.functions, profile, names),
        **template_fields(request, profile),
    }
    findings.raise_refusals()
    counted = _count(chat, context, Dialect.GEMINI, lambda count: {"totalTokens": count})
    seen = any(isinstance(block, Media) for turn in request.turns for block in turn.blocks)
    if seen and not counted.headers:
        return replace(counted, headers=((COUNTED, "text-only"),))
    return counted


def count_for_anthropic(
    call: Call, body: dict[str, Any], context: Context
) -> Transposed | Answered:
    """messages/count_tokens. Raises BadRequest or Unsupported."""
    chat = anthropic_request.read_request(body, context, counts=True).body
    return _count(chat, context, Dialect.ANTHROPIC, lambda count: {"input_tokens": count})


def count_question(chat: dict[str, Any], context: Context) -> tuple[str, bytes] | None:
    """Path and body that ask a node for the size of a chat request; None where its engine
    cannot tell, or only by estimate."""
    counter = context.profile.counter
    messages, has_media = _text_only(chat.get("messages", []))
    if counter is None or has_media:
        return None
    return counter.value, dumps(_question(counter, chat, messages, context))


def read_count(document: Any) -> int:
    """The number in a node's answer, in whatever form its engine has. Raises StreamBroken."""
    if isinstance(document, dict):
        for name in ("count", "input_tokens"):
            count = jsonio.read_count(document.get(name))
            if count is not None:
                return count
        document = document.get("tokenize_response")
    if isinstance(document, list):
        return len(document)
    raise StreamBroken("the node did not tell the number of tokens")


def _count(
    chat: dict[str, Any],
    context: Context,
    surface: Dialect,
    shape: Callable[[int], dict[str, Any]],
) -> Transposed | Answered:
    messages, has_media = _text_only(chat.get("messages", []))
    counter = context.profile.counter
    if counter is None:
        estimate = dumps(shape(_estimate(messages, chat.get("tools", []))))
        return Answered(estimate, ((COUNTED, "estimate"),))

    def make(document: dict[str, Any]) -> tuple[dict[str, Any], Usage]:
        return shape(read_count(document)), Usage()

    question = _question(counter, chat, messages, context)
    return Transposed(
        path=counter.value,
        body=dumps(question),
        streams=False,
        translator=BodyTranslator(surface, context.asked, make),
        headers=((COUNTED, "text-only"),) if has_media else (),
        controls=chat_controls(question, context.profile.thinking),
    )


def _question(
    counter: Counter, chat: dict[str, Any], messages: list[dict[str, Any]], context: Context
) -> dict[str, Any]:
    question: dict[str, Any] = {"model": context.model, "messages": messages}
    if counter is Counter.TOKENIZE:
        question["add_generation_prompt"] = True
    if chat.get("tools"):
        question["tools"] = chat["tools"]
    told = {name: chat[name] for name in _TEMPLATE_FIELDS if name in chat}
    if "add_generation_prompt" not in told:
        # Alone, the chat of SGLang and TGI takes it; their counters are not known to.
        told.pop("continue_final_message", None)
    return question | told


def _text_only(messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """Tokenizers count no media; some nodes refuse them."""
    kept, has_media = [], False
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            texts = [part["text"] for part in content if part.get("type") == "text"]
            has_media = has_media or len(texts) < len(content)
            message = {**message, "content": "".join(texts)}
        kept.append(message)
    return kept, has_media


def _estimate(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> int:
    texts = [dumps(tools)] if tools else []
    for message in messages:
        texts.append((message.get("content") or "").encode("utf-8", "replace"))
        texts += [dumps(call.get("function")) for call in message.get("tool_calls") or ()]
    return estimate_tokens(b"".join(texts))


def estimate_tokens(text: bytes) -> int:
    return max(1, len(text) // _BYTES_PER_TOKEN)
