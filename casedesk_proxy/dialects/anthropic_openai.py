"""Anthropic clients on nodes that speak OpenAI: a Messages request becomes a chat completion.

The node is always asked for a stream, and its reply is collected where the client wants one
body: llama-server notices a client that left only while it streams (measured).
"""

from __future__ import annotations

from typing import Any

from casedesk_proxy.dialects.anthropic_reply import ChatReply
from casedesk_proxy.dialects.anthropic_request import read_request
from casedesk_proxy.dialects.anthropic_writers import EventWriter, MessageWriter, Writer
from casedesk_proxy.dialects.base import Context, Transposed
from casedesk_proxy.jsonio import dumps
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
    return Transposed(
        path="/v1/chat/completions",
        body=dumps(chat.body | {"stream": True, "stream_options": {"include_usage": True}}),
        streams=True,
        translator=ChatReply(
            context, writer, names=chat.names, stops=chat.stops, thinks=chat.thinks
        ),
        dropped=chat.dropped,
    )
