"""The possible results of answering a request: a finished reply, one of ours that is still to be
written, or a node's that is being sent."""

from __future__ import annotations

from typing import TypeAlias

from casedesk_proxy.dialects.core.contract import Answered
from casedesk_proxy.relay.delivery import Delivery
from casedesk_proxy.relay.upgrade import Upgrade
from casedesk_proxy.replying.record import Delivered
from casedesk_proxy.surfaces.envelopes import OwnReply
from casedesk_proxy.terms import record

__all__ = ["Own", "Result", "Streaming"]


@record
class Own:
    """A whole reply of ours to a request for which no node was asked."""

    reply: OwnReply

    @classmethod
    def of(cls, answer: Answered) -> Own:
        """A translated request that needs no node."""
        headers = (
            (name.encode("latin-1"), text.encode("latin-1")) for name, text in answer.headers
        )
        return cls(OwnReply(200, ((b"content-type", b"application/json"), *headers), answer.body))


@record
class Streaming:
    """A node's reply that is being sent."""

    delivery: Delivery | Upgrade


Result: TypeAlias = Delivered | Own | Streaming
