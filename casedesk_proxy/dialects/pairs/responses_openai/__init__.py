"""Responses clients on nodes that speak chat: a Responses request becomes a chat completion.

A feature of OpenAI's API that the node does not have is refused if leaving it out would change the
reply, except tools of kinds that clients send whether they need them or not.
"""

from __future__ import annotations

from casedesk_proxy.dialects.pairs.responses_openai.request import count, translate

__all__ = ["count", "translate"]
