"""Gemini clients on nodes that speak only Anthropic: generateContent becomes a Messages request.

Where a node speaks OpenAI as well, that is the better way: local servers' ``/v1/messages`` knows
less (no format, no named function, no log probabilities).
"""

from __future__ import annotations

from casedesk_proxy.dialects.pairs.gemini_anthropic.reply import translator
from casedesk_proxy.dialects.pairs.gemini_anthropic.request import count, transpose

__all__ = ["count", "translator", "transpose"]
