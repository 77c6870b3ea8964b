"""Reads a whole request's body from its connection: for planning, and for the proxy's own paths."""

from __future__ import annotations

from casedesk_proxy.errors import TooLarge
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.pool import Planners
from casedesk_proxy.relay.body_faults import too_large_here
from casedesk_proxy.relay.pace import Pace
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.server.pending import PendingRequest
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.usage.cut import MIN_LOOKED_AT_BYTES, text_size

__all__ = ["read_body", "read_short_body", "weigh_body"]


async def read_body(
    request: ClientRequest, snapshot: Snapshot, planners: Planners
) -> bytes | HeldBody:
    """Read a body that is still arriving; a large one becomes a held body. Raises a ProxyError."""
    large, limit, pace = snapshot.large_body, snapshot.max_body, Pace.of(snapshot)
    if not planners.are_used:
        return await request.read(limit, pace)
    if large <= request.head.length <= limit:
        planners.expect()
    return await request.read_apart(large, limit, pace)


async def read_short_body(request: ClientRequest, limit: int, pace: Pace) -> bytes:
    """Read a body of at most ``limit`` bytes, which no setting changes. Raises a ProxyError."""
    try:
        return await request.read(limit, pace)
    except TooLarge:
        raise too_large_here(limit) from None


def weigh_body(pending: PendingRequest, planners: Planners) -> None:
    """Record its size, and make it a held body if its content is large."""
    raw = pending.raw
    pending.exchange.received = size = len(raw)
    if isinstance(raw, bytes):
        if pending.snapshot.is_large(raw) and planners.are_used:
            pending.raw = HeldBody.create(raw)
        elif size >= MIN_LOOKED_AT_BYTES:
            pending.exchange.text_size = text_size(raw)
