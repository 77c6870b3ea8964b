"""Gemini clients on nodes that speak OpenAI: generateContent becomes a chat completion."""

from __future__ import annotations

from casedesk_proxy.dialects.pairs.gemini_openai.embeddings import embed_batch, embed_one
from casedesk_proxy.dialects.pairs.gemini_openai.reply import make_translator
from casedesk_proxy.dialects.pairs.gemini_openai.request import count, translate

__all__ = ["count", "embed_batch", "embed_one", "make_translator", "translate"]
