"""A request's way to a node, up to the beginning of the reply; repeated where that fails.

plan → dispatch → begun? → deliver, or plan anew: without what was refused, or for another node
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus

from casedesk_proxy.errors import LimitReached, NoNode, ProxyError
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.pool import NamesFiles, Planners
from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.planning.filling import FileUse, fill_plan
from casedesk_proxy.planning.inference import find_editor
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.relay.delivery import Delivery
from casedesk_proxy.relay.prelude import Prelude, begin_prelude
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.relay.upgrade import Upgrade
from casedesk_proxy.relay.upload import ClientUpload
from casedesk_proxy.relay.watch import Watch
from casedesk_proxy.relay.whole import came_whole, send_whole
from casedesk_proxy.replying.record import (
    Delivered,
    Phase,
    PlanFacts,
    ReplyFacts,
    Terminal,
    terminal_of,
)
from casedesk_proxy.server.exchanges import Exchange
from casedesk_proxy.server.file_uses import FileUses
from casedesk_proxy.server.keeping import Keeping
from casedesk_proxy.server.plans import PlanMaker
from casedesk_proxy.server.results import Own, Result, Streaming
from casedesk_proxy.server.steering import Steering
from casedesk_proxy.server.waits import WAITS, Waits
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.surfaces.file_references import FileReference
from casedesk_proxy.surfaces.forms import FormBeginning
from casedesk_proxy.terms import Framing, Standing
from casedesk_proxy.turns import Turns
from casedesk_proxy.upstream.attempts import Attempts, Next
from casedesk_proxy.upstream.dispatch import Dispatcher
from casedesk_proxy.upstream.lease import LeasedReply
from casedesk_proxy.upstream.metadata import Metadata

__all__ = ["Forwarder", "Timing"]

log = logging.getLogger(__name__)

_SWITCHING_PROTOCOLS = int(HTTPStatus.SWITCHING_PROTOCOLS)

Uses = Mapping[str, tuple[FileUse, ...]]


class Timing:
    """Seconds of our own work on a request, without the wait for its body: by time.perf_counter."""

    __slots__ = ("_began", "_spent")

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._spent = 0.0

    def pause(self) -> None:
        self._spent += time.perf_counter() - self._began

    def resume(self) -> None:
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        return self._spent + time.perf_counter() - self._began


class Forwarder:
    """Plans requests and sends them to nodes. ``watch`` looks after the replies that flow."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        dispatcher: Dispatcher,
        metadata: Metadata,
        waits: Waits = WAITS,
        live: Collection[Exchange] = (),
        files: FileStore | None = None,
        planners: Planners | None = None,
        turns: Turns | None = None,
        count_refusal: Callable[[Standing], None] = lambda standing: None,
    ) -> None:
        """``live``: the exchanges that are under way. ``files``: the stored files that requests may
        name. ``planners``: the processes that plan requests with held bodies. ``count_refusal`` is
        called where a limit is reached after the client has had keep-alives."""
        self._loop = loop
        self._dispatcher = dispatcher
        self._metadata = metadata
        self._keeping = Keeping(loop, dispatcher.response_memory)
        self._steering = Steering(live)
        self._planners = planners
        self._plans = PlanMaker(
            dispatcher.control_memory, metadata, self._keeping, self._steering, waits, planners,
            dispatcher.is_available,
        )  # fmt: skip
        self._count_refusal = count_refusal
        self.files = FileUses(files)
        self.watch = Watch(loop, turns)

    async def forward(
        self,
        request: ClientRequest,
        exchange: Exchange,
        admitted: Admitted,
        snapshot: Snapshot,
        raw: bytes | HeldBody,
        timing: Timing,
        form: FormBeginning | None = None,
        upload: ClientUpload | None = None,
    ) -> Result:
        """``raw`` is the request's body, or the beginning of a ``form``; then ``upload`` has the
        rest. Raises a ProxyError only while nothing has been sent to the client."""
        attempts = exchange.attempts = self._dispatcher.attempts(admitted.facts.key)
        attempts.upload = upload
        if (meter := exchange.meter) is not None:
            attempts.caps, attempts.recheck = meter.caps, meter.recheck
        uses: Uses = {}
        if form is None and isinstance(raw, bytes):
            named = admitted.deployment.find_references(admitted.call, raw)
            if named:
                raw, uses = await self._fill(request, named, admitted, snapshot, attempts, raw)
        while True:
            try:
                plan = await self._plans.make(request, exchange, admitted, snapshot, raw, form)
            except NamesFiles as names:
                assert isinstance(raw, HeldBody)
                whole = await asyncio.to_thread(raw.read_all)
                raw, uses = await self._fill(
                    request, names.references, admitted, snapshot, attempts, whole
                )
                continue
            if uses:
                plan = fill_plan(plan, uses)
            elif self._plans.is_crowded(plan, admitted.call.action):
                plan = await self._plans.spread(request, exchange, admitted, snapshot, raw, plan)
            if upload is not None:
                upload.editor = find_editor(plan.routes)
            exchange.dropped = plan.dropped
            if not attempts.count:
                exchange.planned = PlanFacts(plan.asked, plan.model, timing.seconds)
            if plan.answer is not None:
                return Own.of(plan.answer)
            result = await self._dispatch(request, exchange, admitted, plan, attempts)
            if not isinstance(result, Streaming):
                return result
            if not await self._begins_anew(result.delivery, exchange, attempts):
                if plan.framing is not Framing.UNARY:
                    request.forget()
                    attempts.contents = None
                return result

    async def _fill(
        self,
        request: ClientRequest,
        named: Sequence[FileReference],
        admitted: Admitted,
        snapshot: Snapshot,
        attempts: Attempts,
        raw: bytes,
    ) -> tuple[bytes | HeldBody, Uses]:
        """The body with the text of its PDFs and the stored files that it names: put in, or as
        marks, with the files for ``fill_plan``."""
        files = await self.files.fill(named, admitted, snapshot, raw, request.take_more)
        attempts.contents = files.contents
        are_used = self._planners is not None and self._planners.are_used
        if files.is_plain and are_used and snapshot.is_large(files.raw):
            return HeldBody.create(files.raw), {}
        return files.raw, files.uses

    async def _dispatch(
        self,
        request: ClientRequest,
        exchange: Exchange,
        admitted: Admitted,
        plan: Plan,
        attempts: Attempts,
    ) -> Delivered | Streaming:
        """A node's reply, sent or on its way. Raises a ProxyError; if the client has had
        keep-alives by then, the error goes into the stream instead."""
        prelude = None
        if plan.framing is not Framing.UNARY:
            surface, ident = admitted.call.surface, exchange.request_id
            prelude = begin_prelude(self._loop, request, surface, plan, ident, self.watch.turns)
        try:
            reply = await self._dispatcher.open(plan, attempts)
            # Before anything that may fail: an error reply gives back what the request holds.
            request.held = reply.lease
            result = self._receive(request, exchange, admitted, plan, reply, prelude)
        except ProxyError as error:
            if prelude is None or not prelude.opened:
                raise
            if isinstance(error, LimitReached):
                self._count_refusal(error.standing)
            return _fail(prelude, error, terminal_of(error))
        except Exception:
            if prelude is None or not prelude.opened:
                raise
            log.exception("internal error in request %s", exchange.request_id)
            return _fail(prelude, ProxyError("internal error"), Terminal.FAILED)
        except asyncio.CancelledError:
            if prelude is not None and prelude.opened:
                if request.client.gone_at is None:
                    prelude.fail(NoNode("the service is shutting down; retry shortly"))
                exchange.cut_short = ReplyFacts(200, sent=prelude.sent)
            raise
        finally:
            if prelude is not None:
                prelude.stop()
        if isinstance(result, Delivered):
            return result
        exchange.status = result.status
        attempts.phase = Phase.STREAMING
        result.begin(plan.deployment)
        return Streaming(result)

    def _receive(
        self,
        request: ClientRequest,
        exchange: Exchange,
        admitted: Admitted,
        plan: Plan,
        reply: LeasedReply,
        prelude: Prelude | None,
    ) -> Delivered | Delivery | Upgrade:
        """The head of a node's reply has come. If the reply came whole it is sent, else this
        returns what will send it. Raises CancelledError where the client has left."""
        if request.client.has_left:
            # The call that cancels this handler still waits for its turn.
            raise asyncio.CancelledError
        if not request.complete:
            # What is left of its body must not be taken for the next request.
            request.head = replace(request.head, keep_alive=False)
        self._metadata.used(exchange.attempts.node)
        surface, ident = admitted.call.surface, exchange.request_id
        if reply.head.status == _SWITCHING_PROTOCOLS:
            # The connection does not speak HTTP any more.
            request.held = upgrade = Upgrade(self._loop, request, reply, ident, self.watch)
            request.begun = True
            return upgrade
        begun = self._keeping.learner(admitted, plan, reply)
        if begun is None and plan.framing is Framing.SSE:
            begun = self._steering.learner(admitted, plan, reply, exchange)
        if prelude is None and came_whole(reply, plan.framing):
            sent = send_whole(self._loop, request, reply, surface, ident, begun)
            request.held = None
            return sent
        request.held = delivery = Delivery(
            self._loop, request, reply, surface, plan.framing, ident,
            self.watch, prelude=prelude, begun=begun,
        )  # fmt: skip
        return delivery

    async def _begins_anew(
        self, delivery: Delivery | Upgrade, exchange: Exchange, attempts: Attempts
    ) -> bool:
        """Whether the request is to be planned again. It is if its node was lost before the client
        had any of the reply and another node may serve it, or if its node refused a control of
        thinking that can be left out. The delivery is closed then."""
        try:
            verdict = self._dispatcher.decide(attempts, await delivery.begun())
        except BaseException:
            exchange.cut_short = delivery.close().facts
            raise
        if verdict is Next.DELIVER:
            return False
        # A refused control is at fault, not the node.
        delivery.close(excused=verdict is Next.LEAVE_OUT)
        exchange.status = 0
        return True


def _fail(prelude: Prelude, error: ProxyError, terminal: Terminal) -> Delivered:
    """Send the error inside the stream, since the client has had keep-alives."""
    prelude.fail(error)
    facts = ReplyFacts(200, terminal, error.code, error.reason, sent=prelude.sent)
    return Delivered(facts, keep_alive=False)
