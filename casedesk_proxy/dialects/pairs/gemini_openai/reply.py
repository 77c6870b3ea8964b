"""Translates a chat completion for a Gemini client."""

from __future__ import annotations

from collections.abc import Mapping

from casedesk_proxy.dialects.core.contract import Context
from casedesk_proxy.dialects.core.stream_translator import StreamTranslator
from casedesk_proxy.dialects.gemini.candidate import Candidate
from casedesk_proxy.dialects.gemini.writer import GeminiWriter
from casedesk_proxy.dialects.openai.reader import ChatReader, chunk_template
from casedesk_proxy.errors import Violation
from casedesk_proxy.terms import Dialect, Framing

__all__ = ["make_translator"]


def make_translator(
    context: Context,
    framing: Framing,
    *,
    thoughts: bool = False,
    names: Mapping[str, str] | None = None,
    wanted: int = 1,
    declared: tuple[str, ...] = (),
    media: tuple[Violation, ...] = (),
) -> StreamTranslator[Candidate]:
    """``names`` maps the node's function names to the client's; ``wanted`` and ``declared``:
    see ChatReader."""
    writer = GeminiWriter(context, framing, names)
    reader = ChatReader(writer, thoughts=thoughts, wanted=wanted, declared=declared)
    return StreamTranslator(Dialect.GEMINI, context, reader, writer, chunk_template(), media)
