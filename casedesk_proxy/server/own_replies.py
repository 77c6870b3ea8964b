"""Replies of our own, and how an exchange ends after an error.

If nothing of a reply has been sent, the error is the reply; otherwise the reply is cut.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from casedesk_proxy.errors import InternalFault, LimitReached, NoNode, NotFound, ProxyError
from casedesk_proxy.planning.admission import has_key, read_facts
from casedesk_proxy.relay.parties import Client
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.replying.heads import Addressee, annotate, own_head
from casedesk_proxy.replying.record import (
    CallFacts,
    Delivered,
    ReplyFacts,
    Terminal,
    terminal_of,
)
from casedesk_proxy.server.exchanges import Exchange, Exchanges
from casedesk_proxy.server.refusals import RefusalLimit
from casedesk_proxy.server.runtime import Serving
from casedesk_proxy.server.waits import WAITS, Waits
from casedesk_proxy.surfaces.envelopes import OwnReply, error_reply
from casedesk_proxy.surfaces.paths import guess_surface
from casedesk_proxy.terms import Dialect, Standing
from casedesk_proxy.wire.http1 import glimpse_head

__all__ = ["OwnReplies", "own_message"]

_NOTHING = ReplyFacts()


class OwnReplies:
    """``refusals`` counts refusals of clients without a key; ``count_reached`` is called for limits
    that are reached."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        serving: Serving,
        waits: Waits = WAITS,
        count_reached: Callable[[Standing], None] = lambda standing: None,
    ) -> None:
        self._loop = loop
        self._serving = serving
        self._count_reached = count_reached
        self.refusals = RefusalLimit(loop, serving, waits.refusal_summary_s)

    def send(
        self, request: ClientRequest, exchange: Exchange, reply: OwnReply, facts: ReplyFacts
    ) -> Delivered:
        """Send a reply of the proxy itself. ``facts``: what is known of it before."""
        head = request.head
        # The unread rest of a body must not be read as the next request.
        keep_alive = head.keep_alive and request.complete
        if request.client.has_left:
            return Delivered(facts, keep_alive)
        client = Addressee(
            _surface(exchange), exchange.request_id, head.http11, keep_alive, request.notes
        )
        message = own_message(reply, client, bodiless=exchange.method == "HEAD")
        request.reply_begun = True
        request.client.write(message)
        first_byte, sent = self._loop.time(), len(reply.body)
        facts = replace(facts, status=reply.status, sent=sent, first_byte=first_byte)
        return Delivered(facts, keep_alive)

    def send_error(
        self,
        request: ClientRequest,
        exchange: Exchange,
        error: ProxyError,
        facts: ReplyFacts = _NOTHING,
    ) -> Delivered:
        """Send an error as the reply."""
        if isinstance(error, LimitReached):
            # The error has the current values, the notes those at the request's arrival.
            request.notes = b""
        reply = error_reply(_surface(exchange), error, exchange.request_id)
        facts = replace(facts, code=error.code, reason=error.reason)
        return self.send(request, exchange, reply, facts)

    def refuse(self, request: ClientRequest, exchange: Exchange, error: ProxyError) -> Delivered:
        """Send the error for a request that cannot be served, and count it where refusals count.
        Only while nothing has been sent."""
        if isinstance(error, LimitReached):
            self._count_reached(error.standing)
        facts = ReplyFacts(terminal=terminal_of(error))
        if isinstance(error, NotFound):
            exchange.planned = replace(exchange.planned, asked=error.model)
        if not exchange.call.surface:
            exchange.call = read_facts(request.head)
        if not exchange.call.key and not has_key(self._serving.snapshot, request.head):
            judged = self.refusals.judge(exchange.client, error)
            exchange.summed_up = judged.summed_up
            if judged.error is not error:
                request.head = replace(request.head, keep_alive=False)
            error = judged.error
        return self.send_error(request, exchange, error, facts)

    def end_cancelled(
        self, request: ClientRequest, exchange: Exchange
    ) -> tuple[ReplyFacts, float | None]:
        """The result of an exchange whose task was cancelled, and the seconds since its client
        left. A client that is still there gets an error if nothing has been sent to it."""
        facts, client = exchange.cut_short or _NOTHING, request.client
        if facts.terminal is Terminal.FAILED:
            gone = client.has_left
            stopped = Terminal.CANCELLED if exchange.stopped else Terminal.SHUT_DOWN
            facts = replace(facts, terminal=Terminal.CLIENT_GONE if gone else stopped)
        cancel = None
        if facts.terminal is Terminal.COMPLETED:
            pass
        elif client.gone_at is not None:
            cancel = time.perf_counter() - client.gone_at
        elif not facts.status:
            error = exchange.stopped or NoNode("the service is shutting down; retry shortly")
            facts = self.send_error(request, exchange, error, facts).facts
        return replace(facts, status=facts.status or 499), cancel

    def end_failed(self, request: ClientRequest, exchange: Exchange) -> Delivered:
        """Report an internal error to the client, or cut the reply if the client has some of it."""
        exchange.let_go()
        error = InternalFault()
        facts = replace(exchange.cut_short or _NOTHING, terminal=Terminal.FAILED)
        if not exchange.status and not request.reply_begun:
            return self.send_error(request, exchange, error, facts)
        request.client.reset()
        status = facts.status or exchange.status
        facts = replace(facts, status=status, code=error.code, reason=error.reason)
        return Delivered(facts, keep_alive=False)

    def reject(self, exchanges: Exchanges, client: Client, data: bytes, error: ProxyError) -> None:
        """Answer bytes that cannot be read as a request, in the envelope that their beginning
        suggests. ``data``: the part of its head that arrived."""
        method, target, headers = glimpse_head(data)
        address = self._serving.snapshot.proxies.client(client.peer, headers)
        exchange = exchanges.begin_rejected(method, target, address)
        exchange.call = CallFacts(guess_surface(target, headers))
        exchange.summed_up = self.refusals.judge(address, error).summed_up
        reply = error_reply(Dialect(exchange.call.surface), error, exchange.request_id)
        facts = ReplyFacts(
            0, Terminal.REFUSED, error.code, error.reason, first_byte=exchange.started
        )
        if not client.has_left:
            surface, ident = _surface(exchange), exchange.request_id
            addressee = Addressee(surface, ident, http11=True, keep_alive=False, notes=b"")
            client.write(own_message(reply, addressee, bodiless=method == "HEAD"))
            facts = replace(facts, status=reply.status, sent=len(reply.body))
        exchanges.end(exchange, facts)


def own_message(reply: OwnReply, client: Addressee, *, bodiless: bool = False) -> bytes:
    """A reply of ours in one piece; ``bodiless``: it answers a HEAD."""
    ident = client.request_id.encode("ascii")
    headers = [*reply.headers, (b"x-request-id", ident)]
    if client.surface is Dialect.ANTHROPIC and reply.status < 400:
        headers.append((b"request-id", ident))
    size = len(reply.body)
    head = own_head(reply.status, headers, size, keep_alive=client.keep_alive, http11=client.http11)
    if client.notes:
        head = annotate(head, client.notes)
    return head if bodiless else head + reply.body


def _surface(exchange: Exchange) -> Dialect:
    """The client's; Gemini's if its request could not be read so far."""
    return Dialect(exchange.call.surface or Dialect.GEMINI)
