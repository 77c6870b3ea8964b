"""The size of a chat's prompt, counted by the engine of a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from casedesk_proxy.dialects.core.body_translator import BodyTranslator
from casedesk_proxy.dialects.core.contract import Answered, Context, TranslatedRequest
from casedesk_proxy.dialects.core.counting import COUNTED, estimate_tokens, read_count
from casedesk_proxy.dialects.core.thinking import chat_controls
from casedesk_proxy.engines.profile import Counter
from casedesk_proxy.jsonio import dumps
from casedesk_proxy.terms import Dialect, Usage, record

__all__ = ["count_chat", "count_request"]

#: Fields of a chat request that change how its template writes the prompt.
_TEMPLATE_FIELDS = ("chat_template_kwargs", "add_generation_prompt", "continue_final_message")


def count_request(chat: dict[str, Any], context: Context) -> tuple[str, bytes] | None:
    """Path and body that ask a node for the size of a chat request; None if its engine cannot
    count, or only estimates."""
    counter = context.profile.counter
    messages, has_media = _text_only(chat.get("messages", []))
    if counter is None or has_media:
        return None
    return counter.value, dumps(_count_body(counter, chat, messages, context))


def count_chat(
    chat: dict[str, Any],
    context: Context,
    surface: Dialect,
    shape: Callable[[int], dict[str, Any]],
) -> TranslatedRequest | Answered:
    """A request for the node's count of ``chat``, or an estimate. ``shape``, a function of a
    module, makes the client's object from the number."""
    messages, has_media = _text_only(chat.get("messages", []))
    counter = context.profile.counter
    if counter is None:
        estimate = dumps(shape(_estimate(messages, chat.get("tools", []))))
        return Answered(estimate, ((COUNTED, "estimate"),))

    body = _count_body(counter, chat, messages, context)
    return TranslatedRequest(
        path=counter.value,
        body=dumps(body),
        streams=False,
        translator=BodyTranslator(surface, context.asked, _Make(shape)),
        headers=((COUNTED, "text-only"),) if has_media else (),
        controls=chat_controls(body, context.profile.thinking),
    )


@record
class _Make:
    shape: Callable[[int], dict[str, Any]]

    def __call__(self, document: dict[str, Any]) -> tuple[dict[str, Any], Usage]:
        return self.shape(read_count(document)), Usage()


def _count_body(
    counter: Counter, chat: dict[str, Any], messages: list[dict[str, Any]], context: Context
) -> dict[str, Any]:
    body: dict[str, Any] = {"model": context.model, "messages": messages}
    if counter is Counter.TOKENIZE:
        body["add_generation_prompt"] = True
    if chat.get("tools"):
        body["tools"] = chat["tools"]
    fields = {name: chat[name] for name in _TEMPLATE_FIELDS if name in chat}
    if "add_generation_prompt" not in fields:
        # SGLang and TGI accept it in a chat; it is not known whether their counters do.
        fields.pop("continue_final_message", None)
    return body | fields


def _text_only(messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """Tokenizers do not count media, and some nodes refuse them."""
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
