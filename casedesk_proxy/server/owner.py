"""The owner of clients' connections, as far as a connection knows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.fastpath.cork import CorkedWrites
from casedesk_proxy.fastpath.head_cache import HeadCache
from casedesk_proxy.relay.body_memory import BodyMemory
from casedesk_proxy.relay.parties import Client
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.server.hangups import HangUps
from casedesk_proxy.server.quiet import QuietClients
from casedesk_proxy.server.stalls import Stalls
from casedesk_proxy.turns import Turns
from casedesk_proxy.wire.http1 import RequestHead

__all__ = ["Answer", "Owner", "Reject"]

C = TypeVar("C", contravariant=True)

#: Answers a request, writing to its transport; returns whether the connection may stay open.
Answer = Callable[[ClientRequest], Coroutine[Any, None, bool]]
#: Answers, and logs, bytes that cannot be read as a request: the client, and the part of its head
#: that arrived.
Reject = Callable[[Client, bytes, ProxyError], None]


class Owner(Protocol[C]):
    """See `public.PublicServer`. The timeouts are read when a timer is started: while it closes,
    the server makes them shorter."""

    loop: asyncio.AbstractEventLoop
    answer: Answer
    reject: Reject
    head_timeout_s: float
    idle_timeout_s: float
    handshake_timeout_s: float
    heads: HeadCache[RequestHead]
    cork: CorkedWrites
    turns: Turns
    hangups: HangUps
    quiet: QuietClients
    stalls: Stalls
    body_memory: BodyMemory
    closing: bool
    surplus: int

    def admit(self, connection: C) -> None:
        """Add a connection that is open now."""

    def forget(self, connection: C) -> None:
        """Remove a connection that has ended."""

    def note_rest(self) -> None:
        """Called when a connection has no running answer any more."""
