"""One request, from its head to its outcome: the story that the architecture tells.

read the call → find who asks → read the body → plan → dispatch → relay → outcome
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace

from casedesk_proxy.dialects.core.contract import Answered
from casedesk_proxy.errors import NoNode, NotFound, ProxyError
from casedesk_proxy.fastpath.admission_cache import AdmissionCache
from casedesk_proxy.planning.admission import (
    CATALOGUE,
    Admitted,
    BaseUrl,
    has_token,
    read_facts,
)
from casedesk_proxy.planning.plan import Plan, plan_request
from casedesk_proxy.planning.route import PlanInput
from casedesk_proxy.relay.delivery import Delivery
from casedesk_proxy.relay.parting import reset
from casedesk_proxy.relay.prelude import begin_prelude
from casedesk_proxy.relay.request import Client, ClientRequest
from casedesk_proxy.relay.watch import Watch
from casedesk_proxy.relay.whole import came_whole, send_whole
from casedesk_proxy.replying.heads import own_head
from casedesk_proxy.replying.record import CallFacts, Outcome, Phase, Terminal, terminal_of
from casedesk_proxy.server.catalogue import Remembered, catalogue
from casedesk_proxy.server.cuts import Cuts, text_size
from casedesk_proxy.server.learning import Wishes
from casedesk_proxy.server.refusals import RefusalLimit
from casedesk_proxy.server.runtime import Serving
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.surfaces.envelopes import OwnReply as OwnReply
from casedesk_proxy.surfaces.envelopes import base_reply, error_reply
from casedesk_proxy.surfaces.paths import guess_surface
from casedesk_proxy.telemetry.accesslog import Sink
from casedesk_proxy.terms import Call, Dialect, Framing
from casedesk_proxy.upstream.dispatch import Dispatcher
from casedesk_proxy.upstream.metadata import Metadata
from casedesk_proxy.usage.cut import MIN_LOOKED_AT_BYTES
from casedesk_proxy.wire.headers import accept_request_id
from casedesk_proxy.wire.http1 import glimpse_head
from casedesk_proxy.wire.query import log_target

__all__ = ["Handler"]

log = logging.getLogger(__name__)

#: Seconds that a request for an unknown model waits for the nodes' newest lists: those that live
#: tell them within that, and one that hangs is no reason to keep a client.
PATIENCE = 1.0


class Handler:
    """Answers requests with what ``serving`` has in force as they come; a running exchange keeps
    that. ``sinks`` hear of every exchange at its end."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        serving: Serving,
        dispatcher: Dispatcher,
        metadata: Metadata,
        sinks: Sequence[Sink],
    ) -> None:
        self._loop = loop
        self._serving = serving
        self._dispatcher = dispatcher
        self._metadata = metadata
        self._sinks = sinks
        self.watch = Watch(loop)
        self.refusals = RefusalLimit(loop, serving)
        self.cuts = Cuts(metadata)
        #: The exchanges that have not ended.
        self.live: set[Outcome] = set()
        self._ids = _RequestIds()
        self._lists = Remembered()
        self._admissions = AdmissionCache()
        self._quiet: asyncio.Future[None] | None = None

    async def wait_quiet(self) -> None:
        """Until no request is being answered."""
        while self.live:
            self._quiet = self._quiet or self._loop.create_future()
            await self._quiet

    async def handle(self, request: ClientRequest) -> bool:
        """Answer one request; tells whether its connection may carry another. Raises nothing
        but CancelledError."""
        head, runtime = request.head, self._serving.current
        snapshot = runtime.snapshot
        admitted = self._admissions.find(head, snapshot, runtime.hosts)
        if admitted is not None:
            ident, target = admitted.request_id, admitted.log_target
        else:
            ident, target = accept_request_id(head.headers), log_target(head.target)
        outcome = Outcome(
            request_id=ident or self._ids.new(),
            started=self._loop.time(),
            method=head.method,
            target=target,
            client=snapshot.proxies.client(request.client.peer, head.headers),
        )
        self.live.add(outcome)
        try:
            answer = await self._answer(request, outcome, admitted)
            if isinstance(answer, bool):
                return answer
            if isinstance(answer, OwnReply):
                return self._send(request, outcome, answer)
            return await self._deliver(request, outcome, answer)
        except ProxyError as error:
            outcome.terminal = terminal_of(error)
            if isinstance(error, NotFound):
                outcome.asked = error.model
            if not outcome.surface:
                outcome.ask(read_facts(head))
            if not outcome.token and not has_token(self._serving.snapshot, head):
                error = self._weigh(request, outcome, error)
            return self._refuse(request, outcome, error)
        except asyncio.CancelledError:
            if outcome.terminal is Terminal.FAILED:
                gone = request.client.transport is None
                outcome.terminal = Terminal.CLIENT_GONE if gone else Terminal.SHUT_DOWN
            if outcome.terminal is Terminal.COMPLETED:
                pass
            elif request.client.gone_at is not None:
                outcome.cancel = time.perf_counter() - request.client.gone_at
            elif not outcome.status:
                self._refuse(request, outcome, NoNode("the service is restarting"))
            outcome.status = outcome.status or 499
            raise
        except Exception:
            log.exception("request %s failed by a bug", outcome.request_id)
            return self._own_up(request, outcome)
        finally:
            self._let_go(request)
            self.live.discard(outcome)
            if self._quiet is not None and not self.live:
                self._quiet.set_result(None)
                self._quiet = None
            outcome.ended = self._loop.time()
            self._tell(outcome)

    def _own_up(self, request: ClientRequest, outcome: Outcome) -> bool:
        """Tell the client of a bug, or, where it has got something of a reply, cut that off."""
        self._let_go(request)
        error = ProxyError("internal error")
        outcome.terminal = Terminal.FAILED
        if not outcome.status:
            return self._refuse(request, outcome, error)
        outcome.blame(error)
        if request.client.transport is not None:
            reset(request.client.transport)
        return False

    def _let_go(self, request: ClientRequest) -> None:
        """Of what a bug has left taken, the slot of a node above all."""
        held, request.held = request.held, None
        if held is not None:
            try:
                held.abandon()
            except Exception:
                log.exception("a node's connection could not be let go of")
                held.abandon()

    async def _deliver(self, request: ClientRequest, outcome: Outcome, delivery: Delivery) -> bool:
        """Nothing but this waits while a stream runs: the request's body, its plan and the
        frames that made them are gone."""
        request.release()
        try:
            await delivery.wait()
        finally:
            delivered = delivery.close()
            outcome.deliver(delivered)
            request.held = None
        if delivery.controls:
            Wishes(self._dispatcher.control_memory).learn_late(delivery, delivered, outcome)
        if delivered.fault is not None:
            return self._refuse(request, outcome, delivered.fault)
        return delivered.keep_alive

    def reject(self, client: Client, data: bytes, error: ProxyError) -> None:
        """Answer what cannot be read as a request, in the envelope that its beginning asks for.
        ``data``: what came of its head."""
        now = self._loop.time()
        method, target, headers = glimpse_head(data)
        address = self._serving.snapshot.proxies.client(client.peer, headers)
        outcome = Outcome(
            request_id=self._ids.new(), started=now, ended=now, first_byte=now,
            method=method, target=log_target(target), surface=guess_surface(target, headers),
            client=address, terminal=Terminal.REFUSED,
        )  # fmt: skip
        self.refusals.judge(outcome, error)
        outcome.blame(error)
        reply = error_reply(Dialect(outcome.surface), error, outcome.request_id)
        if client.transport is not None:
            client.transport.write(self._whole(reply, outcome, keep_alive=False))
        self._tell(outcome)

    def _weigh(self, request: ClientRequest, outcome: Outcome, error: ProxyError) -> ProxyError:
        """A refusal of somebody unknown, or the word that there were too many."""
        judged = self.refusals.judge(outcome, error)
        if judged is not error:
            request.head = replace(request.head, keep_alive=False)
        return judged

    def _tell(self, outcome: Outcome) -> None:
        cuts = (self.cuts.judge,) if outcome.text_size else ()
        log_line = self._serving.current.access_log
        for sink in (*cuts, *self._sinks, *((log_line,) if log_line is not None else ())):
            try:
                sink(outcome)
            except Exception:
                # The client has its answer; what waits for its connection must not wait for this.
                log.exception("request %s was not told to all that count", outcome.request_id)

    async def _answer(
        self, request: ClientRequest, outcome: Outcome, admitted: Admitted | None
    ) -> OwnReply | Delivery | bool:
        """Everything up to a reply's head, or a reply of our own. Where the client has had all
        already: whether its connection lives on."""
        began = time.perf_counter()
        runtime = self._serving.current
        snapshot = runtime.snapshot
        if admitted is None:
            decided = self._admissions.admit(request.head, snapshot, runtime.hosts)
            if isinstance(decided, BaseUrl):
                outcome.ask(CallFacts(decided.call.surface, decided.call.action))
                outcome.terminal = Terminal.COMPLETED
                return base_reply(decided.call)
            admitted = decided
        outcome.ask(admitted.facts)
        call, deployment = admitted.call, admitted.deployment
        if call.action in CATALOGUE:
            reply = await catalogue(call, deployment.rules, self._metadata, PATIENCE, self._lists)
            outcome.terminal = Terminal.COMPLETED
            return reply
        allowed = time.perf_counter()
        limit = snapshot.max_body
        if request.complete:
            raw = request.take(limit)
        else:
            raw = await request.read(limit, snapshot.body_timeout, snapshot.min_rate)
        outcome.received = len(raw)
        if outcome.received >= MIN_LOOKED_AT_BYTES:
            outcome.text_size = text_size(raw)
        complete = time.perf_counter()
        wishes = Wishes(self._dispatcher.control_memory)
        while True:
            try:
                plan = self._plan(snapshot, admitted, request, raw, outcome.request_id, wishes)
            except NotFound:
                # Perhaps the model was pulled a moment ago.
                await self._metadata.refresh(PATIENCE)
                plan = self._plan(snapshot, admitted, request, raw, outcome.request_id, wishes)
            outcome.dropped = plan.dropped
            if not outcome.attempts:
                outcome.asked, outcome.model = plan.asked, plan.model
                outcome.overhead = allowed - began + time.perf_counter() - complete
            if plan.answer is not None:
                outcome.terminal = Terminal.COMPLETED
                return _answered(plan.answer)
            delivery = await self._dispatch(request, call, plan, outcome)
            if isinstance(delivery, bool):
                return delivery
            if not await self._begins_anew(delivery, plan, outcome, wishes):
                if plan.framing is not Framing.UNARY:
                    request.forget()
                return delivery

    async def _dispatch(
        self, request: ClientRequest, call: Call, plan: Plan, outcome: Outcome
    ) -> Delivery | bool:
        """The reply of a node, on its way, or sent. False: the client had signs of life, then the
        error."""
        prelude = None
        if plan.framing is not Framing.UNARY:
            prelude = begin_prelude(self._loop, request, call.surface, plan, outcome.request_id)
        try:
            reply = await self._dispatcher.open(plan, outcome)
            request.held = reply.lease
            self._metadata.used(outcome.node)
            if prelude is None and came_whole(reply, plan.framing):
                return send_whole(self._loop, request, reply, call.surface, outcome)
            delivery = Delivery(
                self._loop, request, reply, call.surface, plan.framing, outcome.request_id,
                self.watch, prelude=prelude,
            )  # fmt: skip
            request.held = delivery
        except ProxyError as error:
            if prelude is None or not prelude.opened:
                raise
            outcome.terminal = terminal_of(error)
            outcome.blame(error)
            prelude.fail(error)
            return False
        except Exception:
            if prelude is None or not prelude.opened:
                raise
            log.exception("request %s failed by a bug", outcome.request_id)
            bug = ProxyError("internal error")
            outcome.blame(bug)
            prelude.fail(bug)
            return False
        except asyncio.CancelledError:
            if prelude is not None and prelude.opened and request.client.gone_at is None:
                prelude.fail(NoNode("the service is restarting"))
            raise
        finally:
            if prelude is not None:
                prelude.stop()
                outcome.sent += prelude.sent
                outcome.status = 200 if prelude.opened else 0
        outcome.status = outcome.status or delivery.status
        outcome.phase = Phase.STREAMING
        delivery.begin(plan.deployment)
        return delivery

    async def _begins_anew(
        self, delivery: Delivery, plan: Plan, outcome: Outcome, wishes: Wishes
    ) -> bool:
        """Whether the node was lost before the client had anything of its reply, and another may
        have the request, or whether it refused a wish that is to be left out. The delivery is
        closed then."""
        try:
            await delivery.begun()
            refused = wishes.are_refused(delivery, outcome)
            lost = delivery.may_be_replayed and self._dispatcher.may_replay(plan, outcome)
        except BaseException:
            outcome.deliver(delivery.close())
            raise
        if not refused and not lost:
            return False
        # A refused wish is at fault, not the node.
        outcome.deliver(delivery.close(excused=refused))
        if refused:
            outcome.repeats += 1
        else:
            self._dispatcher.lose(outcome)
        outcome.terminal, outcome.status, outcome.first_byte = Terminal.FAILED, 0, None
        outcome.code = outcome.reason = ""
        return True

    def _plan(
        self,
        snapshot: Snapshot,
        admitted: Admitted,
        request: ClientRequest,
        raw: bytes,
        request_id: str,
        wishes: Wishes,
    ) -> Plan:
        memory = self._dispatcher.control_memory
        ask = PlanInput(
            admitted.call, request.head.headers, raw, request_id,
            self._metadata.reported, self._metadata.nodes, admitted.placements,
            memory.refused, memory.taken, wishes.without,
        )  # fmt: skip
        return plan_request(snapshot, admitted.deployment, ask)

    def _refuse(self, request: ClientRequest, outcome: Outcome, error: ProxyError) -> bool:
        outcome.blame(error)
        surface = Dialect(outcome.surface or Dialect.GEMINI)
        return self._send(request, outcome, error_reply(surface, error, outcome.request_id))

    def _send(self, request: ClientRequest, outcome: Outcome, reply: OwnReply) -> bool:
        # What is left unread of a body must not be taken for the next request.
        keep_alive = request.head.keep_alive and request.complete
        if request.client.transport is not None:
            http11 = request.head.http11
            whole = self._whole(reply, outcome, keep_alive=keep_alive, http11=http11)
            request.client.transport.write(whole)
            outcome.first_byte = self._loop.time()
        return keep_alive

    def _whole(
        self, reply: OwnReply, outcome: Outcome, *, keep_alive: bool, http11: bool = True
    ) -> bytes:
        """A reply of our own, in one piece."""
        outcome.status, outcome.sent = reply.status, len(reply.body)
        ident = outcome.request_id.encode("ascii")
        headers = [*reply.headers, (b"x-request-id", ident)]
        if outcome.surface == Dialect.ANTHROPIC and reply.status < 400:
            headers.append((b"request-id", ident))
        body = b"" if outcome.method == "HEAD" else reply.body
        size = len(reply.body)
        return own_head(reply.status, headers, size, keep_alive=keep_alive, http11=http11) + body


class _RequestIds:
    """32 random hex digits, drawn for 256 requests in one system call."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left: list[str] = []

    def new(self) -> str:
        if not self._left:
            drawn = os.urandom(16 * 256).hex()
            self._left = [drawn[start : start + 32] for start in range(0, len(drawn), 32)]
        return self._left.pop()


def _answered(answer: Answered) -> OwnReply:
    """A transposed request that needs no node."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    return OwnReply(200, ((b"content-type", b"application/json"), *headers), answer.body)
