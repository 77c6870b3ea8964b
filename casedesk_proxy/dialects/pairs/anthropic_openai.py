"""Anthropic clients on nodes that speak OpenAI: a Messages request becomes a chat completion.

The node is always asked for a stream, and its reply is collected where the client wants one
body: llama-server notices a client that left only while it streams (measured).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from casedesk_proxy.dialects.anthropic.forms import EventForm, MessageForm
from casedesk_proxy.dialects.anthropic.request import read_request
from casedesk_proxy.dialects.anthropic.writer import AnthropicWriter
from casedesk_proxy.dialects.core.contract import Context, Question, Transposed
from casedesk_proxy.dialects.core.reply import ReplyChoice
from casedesk_proxy.dialects.core.stream_translator import StreamTranslator
from casedesk_proxy.dialects.openai.reader import ChatReader, chunk_template
from casedesk_proxy.dialects.pairs.counts import count_question, read_count
from casedesk_proxy.errors import StreamBroken, Violation
from casedesk_proxy.jsonio import JSONError, dumps, loads
from casedesk_proxy.terms import Call, Dialect

__all__ = ["translator", "transpose"]


def transpose(call: Call, body: dict[str, Any], context: Context) -> Transposed:
    """A Messages request. Raises BadRequest or Unsupported."""
    chat = read_request(body, context)
    streams = body.get("stream") is True
    writer = make_writer(context, streams=streams, names=chat.names, stops=chat.stops)
    return Transposed(
        path="/v1/chat/completions",
        body=dumps(chat.body | {"stream": True, "stream_options": {"include_usage": True}}),
        streams=True,
        translator=translator(context, writer, thinks=chat.thinks, media=chat.media),
        dropped=chat.dropped,
        controls=chat.controls,
        question=_question(chat.body, context, writer) if streams else None,
    )


def make_writer(
    context: Context,
    *,
    streams: bool,
    names: Mapping[str, str] | None = None,
    stops: tuple[str, ...] = (),
) -> AnthropicWriter:
    form = EventForm(context.request_id) if streams else MessageForm(context.request_id)
    return AnthropicWriter(context, form, names=names, stops=stops)


def translator(
    context: Context,
    writer: AnthropicWriter,
    *,
    thinks: bool = False,
    media: tuple[Violation, ...] = (),
) -> StreamTranslator[ReplyChoice]:
    """``thinks`` tells whether the client is shown thinking."""
    reader = ChatReader(writer, thoughts=thinks, single=True)
    return StreamTranslator(Dialect.ANTHROPIC, context, reader, writer, chunk_template(), media)


def _question(chat: dict[str, Any], context: Context, writer: AnthropicWriter) -> Question | None:
    """What tells ``message_start`` the size of the prompt; the node's own count comes last."""
    asked = count_question(chat, context) if context.count_prompt else None
    if asked is None:
        return None

    def take(body: bytes) -> None:
        with suppress(JSONError, StreamBroken):
            writer.expect(read_count(loads(body)))

    return Question(*asked, take)
