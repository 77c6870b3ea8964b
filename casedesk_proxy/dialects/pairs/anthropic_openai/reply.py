"""Translates a chat completion for an Anthropic client: events, or one message at the end."""

from __future__ import annotations

from collections.abc import Mapping

from casedesk_proxy.dialects.anthropic.forms import EventForm, MessageForm
from casedesk_proxy.dialects.anthropic.writer import AnthropicWriter
from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.core.reply import ReplyChoice
from casedesk_proxy.dialects.core.stream_translator import StreamTranslator
from casedesk_proxy.dialects.openai.reader import ChatReader, chunk_template
from casedesk_proxy.errors import Violation
from casedesk_proxy.terms import Dialect

__all__ = ["make_translator", "make_writer"]


def make_writer(
    context: Context,
    *,
    streams: bool,
    names: Mapping[str, str] | None = None,
    stops: tuple[str, ...] = (),
) -> AnthropicWriter:
    form = EventForm(context.request_id) if streams else MessageForm(context.request_id)
    return AnthropicWriter(context, form, names=names, stops=stops)


def make_translator(
    context: Context,
    writer: AnthropicWriter,
    *,
    thinks: bool = False,
    declared: tuple[str, ...] = (),
    media: tuple[Violation, ...] = (),
) -> StreamTranslator[ReplyChoice]:
    """``thinks``: whether the client gets the thinking; ``declared``: see ChatReader."""
    reader = ChatReader(writer, thoughts=thinks, single=True, declared=declared)
    return StreamTranslator(Dialect.ANTHROPIC, context, reader, writer, chunk_template(), media)
