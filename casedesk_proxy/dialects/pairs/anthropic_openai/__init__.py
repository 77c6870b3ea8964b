"""Anthropic clients on nodes that speak OpenAI: a Messages request becomes a chat completion.

A feature of Anthropic's API that the node does not have is refused if leaving it out would change
the reply.
"""

from __future__ import annotations

from casedesk_proxy.dialects.pairs.anthropic_openai.reply import make_translator, make_writer
from casedesk_proxy.dialects.pairs.anthropic_openai.request import count, translate

__all__ = ["count", "make_translator", "make_writer", "translate"]
