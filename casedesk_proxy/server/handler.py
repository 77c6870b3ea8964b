"""One request, from its head to its record: the story that the architecture tells.

admit → read the body → plan and dispatch (`forwarding`) → deliver → record (`exchanges`)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from casedesk_proxy.auth.sessions import Sessions
from casedesk_proxy.errors import LimitReached, ProxyError
from casedesk_proxy.fastpath.admission_cache import AdmissionCache
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.pool import Planners
from casedesk_proxy.planning.admission import CATALOGUE, FILES, Admitted, BaseUrl, UploadUrl
from casedesk_proxy.relay.delivery import Delivery
from casedesk_proxy.relay.parties import Client
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.relay.upgrade import Upgrade
from casedesk_proxy.replying.record import (
    CallFacts,
    Delivered,
    ReplyFacts,
    Terminal,
)
from casedesk_proxy.server.catalogue import Remembered, catalogue
from casedesk_proxy.server.cuts import Cuts
from casedesk_proxy.server.exchanges import Exchange, Exchanges
from casedesk_proxy.server.files import FileRoutes
from casedesk_proxy.server.following import PastReader
from casedesk_proxy.server.forwarding import Forwarder, Timing
from casedesk_proxy.server.limiting import Limiter
from casedesk_proxy.server.ollama_lists import merge_answers
from casedesk_proxy.server.own_replies import OwnReplies
from casedesk_proxy.server.refusals import RefusalLimit
from casedesk_proxy.server.results import Own, Result, Streaming
from casedesk_proxy.server.runtime import Runtime, Serving
from casedesk_proxy.server.uploads import forward_form
from casedesk_proxy.server.usage_page import show_usage
from casedesk_proxy.server.waits import WAITS, Waits
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.surfaces.envelopes import OwnReply, base_reply
from casedesk_proxy.surfaces.forms import begin_form
from casedesk_proxy.telemetry.accesslog import Sink
from casedesk_proxy.terms import Action, Dialect
from casedesk_proxy.turns import Turns
from casedesk_proxy.upstream.dispatch import Dispatcher
from casedesk_proxy.upstream.live_answers import LiveAnswers
from casedesk_proxy.upstream.metadata import Metadata
from casedesk_proxy.usage.cut import MIN_LOOKED_AT_BYTES, text_size

__all__ = ["Handler"]

log = logging.getLogger(__name__)

_NOTHING = Delivered(ReplyFacts(), keep_alive=False)
_COMPLETED = ReplyFacts(terminal=Terminal.COMPLETED)


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
        waits: Waits = WAITS,
        past: PastReader | None = None,
        files: FileStore | None = None,
        sessions: Sessions | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._loop = loop
        self._waits = waits
        self._serving = serving
        self._metadata = metadata
        self._dispatcher = dispatcher
        self._admissions = AdmissionCache()
        self._sessions = sessions
        self._lists = Remembered()
        self.answers = LiveAnswers(loop)
        self._own = OwnReplies(loop, serving, waits)
        self.limiter = Limiter(loop, serving, past)
        self._files = FileRoutes(loop, serving, files)
        self.cuts = Cuts(metadata)
        self.exchanges = Exchanges(loop, serving, self.cuts, sinks)
        self.planners = Planners(
            loop, lambda: serving.current.config.server.planners,
            lambda: serving.current.limits.max_bodies,
        )  # fmt: skip
        self._forwarder = Forwarder(
            loop, dispatcher, metadata, waits, self.exchanges.live, files, self.planners,
            turns, self.limiter.count_refusal,
        )  # fmt: skip
        self.watch = self._forwarder.watch

    @property
    def refusals(self) -> RefusalLimit:
        return self._own.refusals

    async def handle(self, request: ClientRequest) -> bool:
        """Answer one request; tells whether its connection may carry another. Raises nothing
        but CancelledError."""
        runtime = self._serving.current
        admitted = self._admissions.find(request.head, runtime.snapshot, runtime.hosts)
        exchange = self.exchanges.begin(request, admitted)
        delivered, cancel = _NOTHING, None
        try:
            result = await self._answer(request, exchange, runtime, admitted)
            if isinstance(result, Delivered):
                delivered = result
            else:
                delivered = await self._finish(request, exchange, result)
        except ProxyError as error:
            if isinstance(error, LimitReached):
                self.limiter.count_refusal(error.standing)
            delivered = self._own.turn_down(request, exchange, error)
        except asyncio.CancelledError:
            facts, cancel = self._own.break_off(request, exchange)
            delivered = Delivered(facts, keep_alive=False)
            raise
        except Exception:
            log.exception("internal error in request %s", exchange.request_id)
            _let_go(request)
            delivered = self._own.own_up(request, exchange)
        finally:
            _let_go(request)
            record = self.exchanges.end(exchange, delivered.facts, cancel)
            if exchange.metered is not None:
                self.limiter.end(exchange.metered, record)
        return delivered.keep_alive

    async def _answer(
        self,
        request: ClientRequest,
        exchange: Exchange,
        runtime: Runtime,
        admitted: Admitted | None,
    ) -> Result:
        """Everything up to a reply's head, or a reply of our own."""
        timing, snapshot = Timing(), runtime.snapshot
        if admitted is None:
            decided = self._admissions.admit(request.head, snapshot, runtime.hosts, self._sessions)
            if isinstance(decided, BaseUrl):
                exchange.call = CallFacts(decided.call.surface, decided.call.action)
                return Own(base_reply(decided.call))
            if isinstance(decided, UploadUrl):
                exchange.call = CallFacts(decided.call.surface, decided.call.action)
                return await self._files.resume(request, exchange, decided.call)
            admitted = decided
        exchange.call = admitted.facts
        if admitted.limits or admitted.expires is not None:
            exchange.metered = self.limiter.admit(request, exchange.started, admitted)
        if admitted.call.action in CATALOGUE:
            return Own(await self._list(admitted, snapshot))
        if admitted.call.action in FILES:
            return await self._files.answer(request, exchange, admitted)
        form = begin_form(admitted.call, request.head.headers) if admitted.call.path else None
        if form is not None:
            return await forward_form(
                self._forwarder, request, exchange, admitted, snapshot, form, timing
            )
        raw: bytes | HeldBody
        if request.complete:
            raw = request.take(snapshot.max_body)
        else:
            timing.pause()
            raw = await self._read_body(request, snapshot)
            timing.resume()
        if isinstance(raw, bytes) and snapshot.is_large(raw) and self.planners.are_used:
            raw = HeldBody.create(raw)
        exchange.received = len(raw)
        if len(raw) >= MIN_LOOKED_AT_BYTES and isinstance(raw, bytes):
            exchange.text_size = text_size(raw)
        return await self._forwarder.forward(request, exchange, admitted, snapshot, raw, timing)

    async def _read_body(self, request: ClientRequest, snapshot: Snapshot) -> bytes | HeldBody:
        """All of it, apart where it is large."""
        large, planners = snapshot.large_body, self.planners
        limits = snapshot.max_body, snapshot.body_timeout, snapshot.min_rate
        if not planners.are_used:
            return await request.read(*limits)
        if large <= request.head.length <= snapshot.max_body:
            planners.expect()
        return await request.read_apart(large, *limits)

    async def _list(self, admitted: Admitted, snapshot: Snapshot) -> OwnReply:
        call, rules, metadata = admitted.call, admitted.deployment.rules, self._metadata
        if call.action is Action.USAGE:
            return await show_usage(self.limiter, admitted)
        if call.surface is Dialect.OLLAMA:
            name = admitted.deployment.name
            return await merge_answers(call, name, rules, snapshot, metadata, self.answers)
        return await catalogue(call, rules, metadata, self._lists, self._waits)

    async def _finish(
        self, request: ClientRequest, exchange: Exchange, result: Own | Streaming
    ) -> Delivered:
        """The reply until it is over."""
        match result:
            case Own(reply):
                return self._own.send(request, exchange, reply, _COMPLETED)
            case Streaming(delivery):
                return await self._deliver(request, exchange, delivery)

    async def _deliver(
        self, request: ClientRequest, exchange: Exchange, delivery: Delivery | Upgrade
    ) -> Delivered:
        """Nothing but this waits while a stream runs: the request's body, its plan and the
        frames that made them are gone."""
        request.release()
        try:
            await delivery.wait()
        finally:
            delivered = delivery.close()
            exchange.cut_short = delivered.facts
            if isinstance(delivery, Upgrade):
                exchange.received = delivery.tunnel.received
            request.held = None
        facts = delivered.facts
        if delivered.fault is not None:
            return self._own.refuse(request, exchange, delivered.fault, facts)
        if delivery.controls and facts.terminal is not Terminal.COMPLETED:
            exchange.attempts.learn_late(await delivery.begun())
        return delivered

    async def close(self) -> None:
        """End what it has asked nodes by itself, and the planners."""
        await self.answers.close()
        await self.planners.close()

    def reject(self, client: Client, data: bytes, error: ProxyError) -> None:
        """Answer what cannot be read as a request. ``data``: what came of its head."""
        self._own.reject(self.exchanges, client, data, error)


def _let_go(request: ClientRequest) -> None:
    """Of what a bug has left taken, the slot of a node above all."""
    held, request.held = request.held, None
    if held is not None:
        try:
            held.abandon()
        except Exception:
            log.exception("a node's connection could not be released")
            held.abandon()
