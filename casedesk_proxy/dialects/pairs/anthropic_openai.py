"""Anthropic clients on nodes that speak OpenAI: a Messages request becomes a chat completion.

The node is always asked for a stream, and its reply is collected where the client wants one
body: llama-server notices a client that left only while it streams (measured).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from casedesk_proxy.dialects.anthropic.forms import EventWriter, MessageWriter, Writer
from casedesk_proxy.dialects.anthropic.reply import ChatReply
from casedesk_proxy.dialects.anthropic.request import read_request
from casedesk_proxy.dialects.core.contract import Context, Question, Transposed
from casedesk_proxy.dialects.pairs.counts import count_question, read_count
from casedesk_proxy.errors import StreamBroken
from casedesk_proxy.jsonio import JSONError, dumps, loads
from casedesk_proxy.terms import Call

__all__ = ["transpose"]


def transpose(call: Call, body: dict[str, Any], context: Context) -> Transposed:
    """A Messages request. Raises BadRequest or Unsupported."""
    chat = read_request(body, context)
    writer: Writer = (
        EventWriter(context.request_id)
        if body.get("stream") is True
        else MessageWriter(context.request_id)
    )
    reply = ChatReply(
        context, writer, names=chat.names, stops=chat.stops, thinks=chat.thinks, media=chat.media
    )
    return Transposed(
        path="/v1/chat/completions",
        body=dumps(chat.body | {"stream": True, "stream_options": {"include_usage": True}}),
        streams=True,
        translator=reply,
        dropped=chat.dropped,
        controls=chat.controls,
        question=_question(chat.body, context, reply) if body.get("stream") is True else None,
    )


def _question(chat: dict[str, Any], context: Context, reply: ChatReply) -> Question | None:
    """What tells ``message_start`` the size of the prompt; the node's own count comes last."""
    asked = count_question(chat, context) if context.count_prompt else None
    if asked is None:
        return None

    def take(body: bytes) -> None:
        with suppress(JSONError, StreamBroken):
            reply.expect(read_count(loads(body)))

    return Question(*asked, take)
