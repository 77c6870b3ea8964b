"""Anthropic clients on nodes that speak OpenAI: a Messages request becomes a chat completion.

What Anthropic's API has and a node has not is refused where leaving it out would change the
reply.
"""

from __future__ import annotations

from casedesk_proxy.dialects.pairs.anthropic_openai.reply import make_writer, translator
from casedesk_proxy.dialects.pairs.anthropic_openai.request import count, transpose

__all__ = ["count", "make_writer", "translator", "transpose"]
