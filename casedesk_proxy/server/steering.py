"""Streaming chats that can be steered: which exchange has which chat, and whose it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.planning.inference import can_steer
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.pools.response_memory import Keeper
from casedesk_proxy.server.exchanges import Exchange
from casedesk_proxy.terms import Action, Framing
from casedesk_proxy.upstream.lease import LeasedReply

__all__ = ["Steering"]

#: In the beginning of a chat's stream. In a text the quotes would be escaped.
_ID = re.compile(rb'"id"\s?:\s?"(chatcmpl-[\w-]{1,200})"')
_MAX_BEGINNING_BYTES = 8192


class Steering:
    """``live``: the running exchanges."""

    def __init__(self, live: Collection[Exchange]) -> None:
        self._live = live

    def learner(
        self, admitted: Admitted, plan: Plan, reply: LeasedReply, exchange: Exchange
    ) -> Callable[[bytes], None] | None:
        """A function that reads the chat's id from its first bytes; None if it cannot be
        steered."""
        is_chat = plan.framing is Framing.SSE and admitted.call.action is Action.CHAT
        if not is_chat or reply.route.translator is not None or not can_steer(reply.lease.node):
            return None

        def learn(beginning: bytes) -> None:
            found = _ID.search(beginning[:_MAX_BEGINNING_BYTES])
            exchange.chat_id = found[1].decode("ascii") if found is not None else ""

        return learn

    def finder(self, admitted: Admitted) -> Callable[[str], Keeper | None]:
        """The node that runs the chat with an id, if the caller began it."""
        owner = admitted.facts.deployment, admitted.facts.key

        def find(ident: str) -> Keeper | None:
            for one in self._live:
                if one.chat_id == ident and (one.call.deployment, one.call.key) == owner:
                    planned = one.planned
                    return Keeper(one.attempts.node, planned.model, planned.asked, float("inf"))
            return None

        return find
