"""The client of a reply, as its request describes it."""

from __future__ import annotations

from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.replying.bodies.choose import Recipient
from casedesk_proxy.terms import Call, Dialect, Framing
from casedesk_proxy.wire.http1 import header

__all__ = ["recipient_of"]


def recipient_of(
    request: ClientRequest,
    call: Call,
    framing: Framing,
    request_id: str,
    *,
    is_kept_alive: bool = False,
) -> Recipient:
    """Made when a reply begins: until then the server may decide to close the connection after
    it."""
    head, library = request.head, b""
    if framing is not Framing.UNARY and call.surface is Dialect.GEMINI:
        library = header(head.headers, b"x-goog-api-client") or b""
    return Recipient(
        call.surface, request_id, head.http11, head.keep_alive, request.notes, framing, library,
        is_kept_alive, call.action,
    )  # fmt: skip
