"""One request, from its head to its record, as described in the architecture.

admit → read the body → plan and dispatch (`forwarding`) → deliver → record (`exchanges`)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from casedesk_proxy.auth.sessions import Sessions
from casedesk_proxy.errors import ProxyError
from casedesk_proxy.fastpath.admission_cache import AdmissionCache
from casedesk_proxy.files.store import FileStore
from casedesk_proxy.planners.pool import Planners
from casedesk_proxy.planning.admission import CATALOGUE, FILES, Admitted, BaseUrl, UploadUrl
from casedesk_proxy.relay.delivery import Delivery
from casedesk_proxy.relay.parties import Client
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.relay.upgrade import Upgrade
from casedesk_proxy.replying.record import Delivered, ReplyFacts, Terminal
from casedesk_proxy.server.body_reading import read_body, weigh_body
from casedesk_proxy.server.catalogue import Catalogue
from casedesk_proxy.server.cuts import Cuts
from casedesk_proxy.server.exchanges import Exchange, Exchanges
from casedesk_proxy.server.files import FileRoutes
from casedesk_proxy.server.following import PastReader
from casedesk_proxy.server.forwarding import Forwarder
from casedesk_proxy.server.limiting import Limiter
from casedesk_proxy.server.own_replies import OwnReplies
from casedesk_proxy.server.pending import PendingRequest, Timing
from casedesk_proxy.server.refusals import RefusalLimit
from casedesk_proxy.server.results import Own, Result, Streaming
from casedesk_proxy.server.runtime import Runtime, Serving
from casedesk_proxy.server.uploads import forward_form
from casedesk_proxy.server.upstream_side import UpstreamSide
from casedesk_proxy.server.waits import WAITS, Waits
from casedesk_proxy.surfaces.envelopes import base_reply
from casedesk_proxy.surfaces.forms import begin_form
from casedesk_proxy.telemetry.accesslog import Sink

__all__ = ["Handler"]

log = logging.getLogger(__name__)

_NOTHING = Delivered(ReplyFacts(), keep_alive=False)
_COMPLETED = ReplyFacts(terminal=Terminal.COMPLETED)


class Handler:
    """Answers requests. An exchange uses the active configuration of ``serving`` when its request
    arrives, and keeps it to its end. ``sinks`` get the record of each exchange at its end."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        serving: Serving,
        upstream: UpstreamSide,
        sinks: Sequence[Sink],
        *,
        waits: Waits = WAITS,
        past: PastReader | None = None,
        files: FileStore | None = None,
        sessions: Sessions | None = None,
    ) -> None:
        metadata = upstream.metadata
        self._serving = serving
        self._sessions = sessions
        self._admissions = AdmissionCache()
        self.limiter = Limiter(
            loop, serving, past, serve_waiting=upstream.dispatcher.slots.serve_waiting
        )
        self._counted = self.limiter.scopes
        self._own = OwnReplies(loop, serving, waits, self.limiter.count_refusal)
        self._catalogue = Catalogue(loop, metadata, self.limiter, waits)
        self._files = FileRoutes(loop, serving, files)
        self.cuts = Cuts(metadata)
        self.exchanges = Exchanges(loop, serving, self.cuts, sinks)
        self.planners = Planners(
            loop, lambda: serving.current.config.server.planners,
            lambda: serving.current.limits.max_bodies,
        )  # fmt: skip
        self._forwarder = Forwarder(
            loop, upstream, waits=waits, live=self.exchanges.live, files=files,
            planners=self.planners, count_refusal=self.limiter.count_refusal,
        )  # fmt: skip
        self.watch = self._forwarder.watch

    @property
    def refusals(self) -> RefusalLimit:
        return self._own.refusals

    async def handle(self, request: ClientRequest) -> bool:
        """Answer one request; returns whether its connection may carry another. Raises nothing
        but CancelledError."""
        runtime = self._serving.current
        known = self._admissions.find(request.head, runtime.snapshot, runtime.hosts)
        exchange = self.exchanges.begin(request, known)
        delivered, cancel = _NOTHING, None
        try:
            match await self._answer(request, exchange, runtime, known):
                case Delivered() as delivered:
                    pass
                case Own(reply):
                    delivered = self._own.send(request, exchange, reply, _COMPLETED)
                case Streaming(delivery):
                    delivered = await self._deliver(request, exchange, delivery)
        except ProxyError as error:
            # Frames of its traceback may hold it: then the request, with its body, would wait for
            # the garbage collector.
            error.__traceback__ = None
            delivered = self._own.refuse(request, exchange, error)
        except asyncio.CancelledError:
            facts, cancel = self._own.end_cancelled(request, exchange)
            delivered = Delivered(facts, keep_alive=False)
            raise
        except Exception:
            log.exception("internal error in request %s", exchange.request_id)
            delivered = self._own.end_failed(request, exchange)
        finally:
            record = self.exchanges.end(exchange, delivered.facts, cancel)
            if exchange.meter is not None:
                self.limiter.end(exchange, exchange.meter, record)
            elif exchange.started <= self._counted.unmetered_until:
                self.limiter.end_unmetered(record)
        return delivered.keep_alive

    async def _answer(
        self,
        request: ClientRequest,
        exchange: Exchange,
        runtime: Runtime,
        known: Admitted | None,
    ) -> Result:
        """Everything up to a node's reply, or a reply of our own. ``known``: the admission of an
        earlier request with the same head, if it is remembered."""
        timing, snapshot = Timing(), runtime.snapshot
        admitted = known or self._admissions.admit(
            request.head, snapshot, runtime.hosts, self._sessions
        )
        exchange.call = admitted.facts
        if isinstance(admitted, BaseUrl):
            return Own(base_reply(admitted.call))
        if isinstance(admitted, UploadUrl):
            return await self._files.resume(request, exchange, admitted.call)
        call = admitted.call
        if admitted.counted or admitted.expires is not None:
            exchange.meter = self.limiter.admit(request, exchange, admitted)
        if call.action in CATALOGUE:
            return Own(await self._catalogue.answer(admitted, snapshot))
        if call.action in FILES:
            return await self._files.answer(request, exchange, admitted)
        pending = PendingRequest(request, exchange, admitted, snapshot, timing)
        if call.path:
            may_fetch = admitted.deployment.config.nodes_fetch_urls
            form = begin_form(call, request.head.headers, may_fetch=may_fetch)
            if form is not None:
                return await forward_form(self._forwarder, pending, *form)
        if request.complete:
            pending.raw = request.take(snapshot.max_body)
        else:
            timing.pause()
            pending.raw = await read_body(request, snapshot, self.planners)
            timing.resume()
        weigh_body(pending, self.planners)
        return await self._forwarder.forward(pending)

    async def _deliver(
        self, request: ClientRequest, exchange: Exchange, delivery: Delivery | Upgrade
    ) -> Delivered:
        """Wait until the reply has been sent. Only this coroutine remains while a stream runs: the
        request's body, its plan and the calls that made them use no memory any more."""
        request.release()
        try:
            await delivery.wait()
        finally:
            delivered = delivery.close()
            exchange.cut_short = delivered.facts
            if isinstance(delivery, Upgrade):
                exchange.received = delivery.tunnel.received
            elif exchange.meter is not None and delivery.generates:
                exchange.meter.take_back(delivered.facts.events)
            exchange.held = None
        facts = delivered.facts
        if delivered.fault is not None:
            return self._own.send_error(request, exchange, delivered.fault, facts)
        if delivery.controls and facts.terminal is not Terminal.COMPLETED:
            exchange.attempts.learn_late(await delivery.beginning())
        return delivered

    async def close(self) -> None:
        """Cancel the catalogue's questions to nodes, and end the planners."""
        await self._catalogue.close()
        await self.planners.close()

    def reject(self, client: Client, data: bytes, error: ProxyError) -> None:
        """Answer ``error`` to bytes that are not a valid request. ``data``: the part of its head
        that arrived."""
        self._own.reject(self.exchanges, client, data, error)
