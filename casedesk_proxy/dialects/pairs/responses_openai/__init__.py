"""Responses clients on nodes that speak chat: a Responses request becomes a chat completion.

What OpenAI's API has and a node has not is refused where leaving it out would change the reply,
but for tools of kinds that clients send whether they are needed or not.
"""

from __future__ import annotations

from casedesk_proxy.dialects.pairs.responses_openai.request import count, transpose

__all__ = ["count", "transpose"]
