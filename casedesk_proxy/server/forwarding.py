"""A request's way to a node, up to the beginning of the reply; repeated if that fails.

plan → dispatch → beginning → deliver, or plan again: without what was refused, or for another node
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus

from casedesk_proxy.errors import InternalFault, LimitReached, NoNode, ProxyError
from casedesk_proxy.fastpath.switches import Trick, is_on
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.pool import NamesFiles, Planners
from casedesk_proxy.planning.filling import FileUse, fill_plan
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.relay.delivery import Delivery
from casedesk_proxy.relay.early_response import EarlyResponse, begin_early_response
from casedesk_proxy.relay.recipients import recipient_of
from casedesk_proxy.relay.upgrade import Upgrade
from casedesk_proxy.relay.watch import Watch
from casedesk_proxy.relay.whole import came_whole, send_whole
from casedesk_proxy.replying.record import (
    Delivered,
    Phase,
    ReplyFacts,
    Terminal,
    terminal_of,
)
from casedesk_proxy.server.exchanges import Exchange
from casedesk_proxy.server.file_uses import FileUses
from casedesk_proxy.server.keeping import Keeping
from casedesk_proxy.server.pending import PendingRequest
from casedesk_proxy.server.plans import PlanMaker
from casedesk_proxy.server.results import Own, Result, Streaming
from casedesk_proxy.server.steering import Steering
from casedesk_proxy.server.upstream_side import UpstreamSide
from casedesk_proxy.server.waits import WAITS, Waits
from casedesk_proxy.surfaces.file_references import FileReference
from casedesk_proxy.terms import Framing, Standing
from casedesk_proxy.upstream.attempts import Attempts, Next
from casedesk_proxy.upstream.lease import LeasedReply

__all__ = ["Forwarder"]

log = logging.getLogger(__name__)

_SWITCHING_PROTOCOLS = int(HTTPStatus.SWITCHING_PROTOCOLS)

Uses = Mapping[str, tuple[FileUse, ...]]


class Forwarder:
    """Plans requests and sends them to nodes. ``watch`` watches the running replies."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        upstream: UpstreamSide,
        *,
        waits: Waits = WAITS,
        live: Collection[Exchange] = (),
        files: FileStore | None = None,
        planners: Planners | None = None,
        count_refusal: Callable[[Standing], None] = lambda standing: None,
    ) -> None:
        """``live``: the running exchanges. ``files``: the stored files that requests may name.
        ``planners``: the processes that plan requests with held bodies. ``count_refusal`` is called
        if a limit is reached after the client has received keepalives."""
        dispatcher = upstream.dispatcher
        self._loop = loop
        self._dispatcher = dispatcher
        self._metadata = upstream.metadata
        self._keeping = Keeping(loop, dispatcher.response_memory)
        self._steering = Steering(live)
        self._planners = planners
        self._plans = PlanMaker(
            dispatcher.control_memory, self._metadata, self._keeping, self._steering, waits,
            planners, dispatcher.is_available,
        )  # fmt: skip
        self._count_refusal = count_refusal
        self._sends_whole = is_on(Trick.WHOLE_REPLIES)
        self.files = FileUses(files)
        self.watch = Watch(loop, upstream.turns)

    async def forward(self, pending: PendingRequest) -> Result:
        """Raises a ProxyError only while nothing has been sent to the client."""
        exchange, admitted = pending.exchange, pending.admitted
        attempts = exchange.attempts = self._dispatcher.new_attempts(admitted.facts.key)
        attempts.upload = pending.upload
        if (meter := exchange.meter) is not None:
            attempts.caps, attempts.recheck = meter.caps, meter.recheck
        uses: Uses = {}
        if pending.form is None and isinstance(pending.raw, bytes):
            named = admitted.deployment.find_references(admitted.call, pending.raw)
            if named:
                uses = await self._fill(pending, named, pending.raw)
        while True:
            try:
                plan = await self._plans.make(pending)
            except NamesFiles as names:
                assert isinstance(pending.raw, HeldBody)
                whole = await asyncio.to_thread(pending.raw.read_all)
                uses = await self._fill(pending, names.references, whole)
                continue
            if uses:
                plan = fill_plan(plan, uses)
            elif self._plans.is_crowded(plan, admitted.call.action):
                plan = await self._plans.spread(pending, plan)
            pending.note(plan)
            if plan.answer is not None:
                return Own.of(plan.answer)
            result = await self._dispatch(pending, plan)
            if not isinstance(result, Streaming):
                return result
            if not await self._begins_anew(result.delivery, exchange, attempts):
                if plan.framing is not Framing.UNARY:
                    pending.request.forget()
                    attempts.contents = None
                return result

    async def _fill(
        self, pending: PendingRequest, named: Sequence[FileReference], raw: bytes
    ) -> Uses:
        """Put the text of its PDFs and the stored files that it names into the body: as they are,
        or as marks, with the files for ``fill_plan``."""
        snapshot, request = pending.snapshot, pending.request
        files = await self.files.fill(named, pending.admitted, snapshot, raw, request.reserve)
        pending.exchange.attempts.contents = files.contents
        are_used = self._planners is not None and self._planners.are_used
        if files.is_plain and are_used and snapshot.is_large(files.raw):
            pending.raw = HeldBody.create(files.raw)
            return {}
        pending.raw = files.raw
        return files.uses

    async def _dispatch(self, pending: PendingRequest, plan: Plan) -> Delivered | Streaming:
        """A node's reply, sent or being sent. Raises a ProxyError; if the client has received
        keepalives by then, the error goes into the stream instead."""
        request, exchange = pending.request, pending.exchange
        attempts, early = exchange.attempts, None
        if plan.framing is not Framing.UNARY:
            call, ident = pending.admitted.call, exchange.request_id
            early = begin_early_response(request, call, plan, ident, self.watch)
        try:
            reply = await self._dispatcher.open(plan, attempts)
            # Before anything that may fail: an error reply returns what the exchange holds.
            exchange.held = reply.lease
            result = self._receive(pending, plan, reply, early)
        except ProxyError as error:
            if early is None or not early.opened:
                raise
            if isinstance(error, LimitReached):
                self._count_refusal(error.standing)
            return _fail(early, error, terminal_of(error))
        except Exception:
            if early is None or not early.opened:
                raise
            log.exception("internal error in request %s", exchange.request_id)
            return _fail(early, InternalFault(), Terminal.FAILED)
        except asyncio.CancelledError:
            if early is not None and early.opened:
                if request.client.gone_at is None:
                    early.fail(NoNode("the service is shutting down; retry shortly"))
                exchange.cut_short = ReplyFacts(200, sent=early.sent)
            raise
        finally:
            if early is not None:
                early.stop()
        if isinstance(result, Delivered):
            return result
        exchange.status = result.status
        attempts.phase = Phase.STREAMING
        result.begin(plan.deployment)
        return Streaming(result)

    def _receive(
        self, pending: PendingRequest, plan: Plan, reply: LeasedReply, early: EarlyResponse | None
    ) -> Delivered | Delivery | Upgrade:
        """The head of a node's reply has arrived. If the reply is whole it is sent, else this
        returns what will send it. Raises CancelledError if the client has left."""
        request, exchange, admitted = pending.request, pending.exchange, pending.admitted
        if request.client.has_left:
            # The call that cancels this handler has not run yet.
            raise asyncio.CancelledError
        if not request.complete:
            # The rest of its body must not be read as the next request.
            request.head = replace(request.head, keep_alive=False)
        self._metadata.used(exchange.attempts.node)
        ident = exchange.request_id
        if reply.head.status == _SWITCHING_PROTOCOLS:
            # The connection no longer speaks HTTP.
            exchange.held = upgrade = Upgrade(request, reply, ident, self.watch)
            request.reply_begun = True
            return upgrade
        learn = self._keeping.learner(admitted, plan, reply)
        if learn is None and plan.framing is Framing.SSE:
            learn = self._steering.learner(admitted, plan, reply, exchange)
        if early is None and self._sends_whole and came_whole(reply, plan.framing):
            sent = send_whole(self._loop, request, reply, admitted.call.surface, ident, learn)
            exchange.held = None
            return sent
        is_kept_alive = early is not None and early.opened
        client = recipient_of(
            request, admitted.call, plan.framing, ident, is_kept_alive=is_kept_alive
        )
        exchange.held = delivery = Delivery(
            request, reply, client, self.watch, early=early, on_first_bytes=learn
        )
        return delivery

    async def _begins_anew(
        self, delivery: Delivery | Upgrade, exchange: Exchange, attempts: Attempts
    ) -> bool:
        """Whether the request is to be planned again: if its node was lost before the client had
        any of the reply and another node may serve it, or if its node refused a control of thinking
        that can be left out. The delivery is then closed."""
        try:
            verdict = self._dispatcher.decide(attempts, await delivery.beginning())
        except BaseException:
            exchange.cut_short = delivery.close().facts
            raise
        if verdict is Next.DELIVER:
            return False
        # A refused control is at fault, not the node.
        delivery.close(excused=verdict is Next.LEAVE_OUT)
        exchange.status = 0
        return True


def _fail(early: EarlyResponse, error: ProxyError, terminal: Terminal) -> Delivered:
    """Send the error inside the stream, since the client has received keepalives."""
    error.__traceback__ = None  # as in `Handler.handle`
    early.fail(error)
    facts = ReplyFacts(200, terminal, error.code, error.reason, sent=early.sent)
    return Delivered(facts, keep_alive=False)
