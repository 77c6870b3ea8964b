"""Gemini clients on nodes that speak only Anthropic: generateContent becomes a Messages request.

If a node also speaks OpenAI, that is preferred: the ``/v1/messages`` of local servers supports less
(no format, no named function, no log probabilities).
"""

from __future__ import annotations

from casedesk_proxy.dialects.pairs.gemini_anthropic.reply import make_translator
from casedesk_proxy.dialects.pairs.gemini_anthropic.request import count, translate

__all__ = ["count", "make_translator", "translate"]
