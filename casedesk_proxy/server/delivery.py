"""One node's reply on its way to one client: which relay carries it, and what it came to."""

from __future__ import annotations

import asyncio
import functools

from casedesk_proxy.exchange.ending import broken_ending
from casedesk_proxy.exchange.outcome import Outcome, Terminal
from casedesk_proxy.exchange.reply import client_framing, reply_head
from casedesk_proxy.server.relay import ReframingRelay, Relay, VerbatimRelay
from casedesk_proxy.server.request import Request
from casedesk_proxy.server.watch import Watch
from casedesk_proxy.terms import Dialect, Framing
from casedesk_proxy.upstream.dispatch import Reply
from casedesk_proxy.usage.tap import Tap
from casedesk_proxy.wire.bodies import body_reader
from casedesk_proxy.wire.http1 import Body

__all__ = ["Delivery"]


class Delivery:
    """Made when a reply's head has come. ``begin`` sends it on, ``close`` must be called once,
    however the exchange ends; ``keep_alive`` then says whether the client's connection lives on.
    """

    __slots__ = ("_client", "_framing", "_keep_alive", "_reply", "_surface", "_watch", "relay")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        request: Request,
        reply: Reply,
        surface: Dialect,
        framing: Framing,
        watch: Watch,
    ) -> None:
        transport = request.client.transport
        assert transport is not None, "a client that leaves cancels its handler"
        modern = request.head.modern
        body = reply.head.body
        self._client = request.client
        self._reply = reply
        self._surface = surface
        self._watch = watch
        self._framing = client_framing(body, modern=modern)
        self._keep_alive = request.head.keep_alive and self._framing is not Body.CLOSE
        ending = functools.partial(broken_ending, surface, framing)
        parts = (loop, transport, body_reader(reply.head), Tap(body is Body.CHUNKED))
        self.relay: Relay
        if self._framing is body and body is not Body.CLOSE:
            self.relay = VerbatimRelay(*parts, ending)
        else:
            self.relay = ReframingRelay(*parts, ending, chunked=modern)

    def begin(self, request_id: str, stall_limit: float) -> None:
        """Send the head and let the relay run."""
        self._client.relay = self.relay
        head = reply_head(
            self._reply.head, self._framing, self._surface, request_id, keep_alive=self._keep_alive
        )
        self.relay.begin(self._reply.connection, head)
        if self.relay.terminal is None:
            self._watch.add(self.relay, self._reply.node.config.idle_timeout, stall_limit)

    def close(self, outcome: Outcome) -> None:
        """Let go of both connections and note what the exchange came to."""
        relay = self.relay
        relay.leave(Terminal.CLIENT_GONE)
        self._client.relay = None
        self._watch.discard(relay)
        self._reply.end(clean=relay.clean)
        assert relay.terminal is not None
        outcome.status = self._reply.head.status
        outcome.terminal = relay.terminal
        outcome.first_byte = relay.first_byte
        outcome.sent = relay.sent
        outcome.events = relay.events
        outcome.usage = relay.tap.usage(self._surface)

    @property
    def keep_alive(self) -> bool:
        return self._keep_alive and self.relay.terminal is Terminal.COMPLETED
