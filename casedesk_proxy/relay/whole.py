"""A short reply that arrived in one piece with its head: sent in one piece, without a relay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.replying.completeness import is_given_up
from casedesk_proxy.replying.heads import ANSWERED, Addressee, is_event_stream, reply_head
from casedesk_proxy.replying.in_stream_errors import read_within
from casedesk_proxy.replying.record import GAVE_UP, Delivered, ReplyFacts, Terminal
from casedesk_proxy.terms import Dialect, Framing
from casedesk_proxy.upstream.lease import LeasedReply
from casedesk_proxy.usage.extract import find_usage
from casedesk_proxy.usage.tap import MAX_PIECE_BYTES
from casedesk_proxy.wire.http1 import BodyFraming

__all__ = ["came_whole", "send_whole"]


def came_whole(reply: LeasedReply, framing: Framing) -> bool:
    """Whether a reply is complete, and nothing of it must be translated, judged or watched."""
    head, body = reply.head, reply.lease.connection.buffered_body
    return (
        head.body is BodyFraming.LENGTH
        and 0 < head.length == len(body)
        and reply.route.translator is None
        and head.status < 400
        and framing is Framing.UNARY
        and not (is_event_stream(head) or head.coding)
        and (head.status not in ANSWERED or read_within(body) is None)
    )


def send_whole(
    loop: asyncio.AbstractEventLoop,
    request: ClientRequest,
    reply: LeasedReply,
    surface: Dialect,
    request_id: str,
    on_first_bytes: Callable[[bytes], None] | None = None,
) -> Delivered:
    """Send a reply and let go of its node; returns the result. ``on_first_bytes``: see
    `NodeReply`."""
    head, connection = reply.head, reply.lease.connection
    body = connection.take_body()
    tail = body[-MAX_PIECE_BYTES:]
    if on_first_bytes is not None and head.status in ANSWERED:
        on_first_bytes(body)
    usage = find_usage(surface, b"", tail)
    keep_alive = request.head.keep_alive
    fault: NodeFault | None = None
    if not request.client.is_open:
        end = Terminal.CLIENT_GONE
        facts = ReplyFacts(head.status, end, usage=usage)
        keep_alive = False
    else:
        end, code, reason = Terminal.COMPLETED, "", ""
        if is_given_up(surface, tail):
            end, code, reason = Terminal.NODE_BROKE, GAVE_UP.code, GAVE_UP.reason
            fault = NodeFault.BROKE
        facts = ReplyFacts(head.status, end, code, reason, loop.time(), len(body), 1, usage)
        request.reply_begun = True
        client = Addressee(surface, request_id, request.head.http11, keep_alive, request.notes)
        request.client.write_whole(reply_head(head, BodyFraming.LENGTH, client) + body)
    reply.lease.end(clean=True, whole=end is Terminal.COMPLETED, fault=fault)
    return Delivered(facts, keep_alive)
