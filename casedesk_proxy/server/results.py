"""What the answering of a request can come to: a reply that is over, one of ours that is yet to be
written, or a node's that flows."""

from __future__ import annotations

from typing import TypeAlias

from casedesk_proxy.relay.delivery import Delivery
from casedesk_proxy.relay.upgrade import Upgrade
from casedesk_proxy.replying.record import Delivered
from casedesk_proxy.surfaces.envelopes import OwnReply
from casedesk_proxy.terms import record

__all__ = ["Own", "Result", "Streaming"]


@record
class Own:
    """A whole reply of ours to a request that no node was asked for."""

    reply: OwnReply


@record
class Streaming:
    """A node's reply, on its way."""

    delivery: Delivery | Upgrade


Result: TypeAlias = Delivered | Own | Streaming
