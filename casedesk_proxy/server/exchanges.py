"""The running exchanges, and the record that is made of each at its end.

Facts about an exchange are appended while it runs, each once, as a frozen value that one stage
made. `Exchanges.end` puts them together, once.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from casedesk_proxy.errors import Forbidden, ProxyError
from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.pools.control_memory import ControlMemory
from casedesk_proxy.relay.flow import Flow
from casedesk_proxy.relay.parties import Held
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.replying.estimates import Estimates
from casedesk_proxy.replying.record import (
    CallFacts,
    ExchangeRecord,
    Phase,
    PlanFacts,
    ReplyFacts,
    Terminal,
)
from casedesk_proxy.server.cuts import Cuts
from casedesk_proxy.server.metering import Meter
from casedesk_proxy.server.runtime import Serving
from casedesk_proxy.telemetry.accesslog import Sink
from casedesk_proxy.turns import in_turns
from casedesk_proxy.upstream.attempts import Attempts
from casedesk_proxy.wire.headers import accept_request_id
from casedesk_proxy.wire.query import log_target

__all__ = ["Exchange", "Exchanges"]

log = logging.getLogger(__name__)

_CANCELLED = (
    "this request was ended at the proxy's console, by an administrator or a holder of its key; ask"
    " them before you repeat it"
)
#: Some 0.1 ms.
_COUNTED_PER_TURN = 250
_NO_CALL = CallFacts("")
_NO_PLAN = PlanFacts()
#: For a request that has not reached a node; never written to.
_NO_ATTEMPTS = Attempts("", ControlMemory())


class Exchange:
    """One running request. ``status`` is that of the reply which is being sent; 0: none has
    begun."""

    __slots__ = (
        "__weakref__", "attempts", "call", "chat_id", "client", "cut_short", "dropped", "held",
        "meter", "method", "planned", "received", "request", "request_id", "started", "status",
        "stopped", "summed_up", "target", "text_size",
    )  # fmt: skip

    def __init__(
        self, request_id: str, started: float, method: str, target: str, client: str
    ) -> None:
        self.request_id = request_id
        self.started = started
        self.method = method
        self.target = target
        self.client = client
        self.status = 0
        self.call = _NO_CALL
        self.planned = _NO_PLAN
        self.attempts = _NO_ATTEMPTS
        self.received = 0
        self.text_size = 0
        self.dropped: tuple[str, ...] = ()
        self.summed_up = False
        #: The id of a streaming chat that may be steered, once it is known.
        self.chat_id = ""
        #: Counts it, if it has limits.
        self.meter: Meter | None = None
        #: What it must let go of at its end: a node's reply, or the lease of one.
        self.held: Held | None = None
        #: Set until it has ended.
        self.request: ClientRequest | None = None
        #: The error for which it was cancelled.
        self.stopped: ProxyError | None = None
        #: The reply's result if its handler was cancelled, or failed with an internal error.
        self.cut_short: ReplyFacts | None = None

    @property
    def flow(self) -> Flow | None:
        """The flow to its client."""
        return None if self.request is None else self.request.client.relay

    @property
    def phase(self) -> Phase:
        return self.attempts.phase

    def let_go(self) -> None:
        """Release what its end, or an internal error, has left, above all a node's slot."""
        if self.held is None:
            return
        held, self.held = self.held, None
        for _ in range(2):  # It may fail before something that a second attempt reaches.
            try:
                held.abandon()
                break
            except Exception:
                log.exception("a node's connection could not be released")

    def record(
        self, reply: ReplyFacts, ended: float, cancel: float | None = None
    ) -> ExchangeRecord:
        """All facts together. ``cancel``: see `ExchangeRecord`."""
        call, planned, tried = self.call, self.planned, self.attempts
        # By their order, a stage a row: the names of so many take three times as long, 1 % of a
        # short request.
        return ExchangeRecord(
            self.request_id, self.started, self.method, self.target, self.client,
            self.received, self.dropped, self.summed_up, self.text_size,
            call.surface, call.action, call.key, call.deployment,
            planned.asked, planned.model, planned.overhead,
            tried.node, tried.count, tried.tried, tried.queued, tried.repeats,
            reply.status, reply.terminal, reply.code, reply.reason,
            reply.first_byte, reply.sent, reply.events, reply.usage,
            ended, cancel,
        )  # fmt: skip


class Exchanges:
    """``live`` are the running ones, in order of arrival; ``sinks`` get each that has ended."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        serving: Serving,
        cuts: Cuts,
        sinks: Sequence[Sink],
    ) -> None:
        self._loop = loop
        self._serving = serving
        self._cuts = cuts
        self._sinks = sinks
        self._ids = _RequestIds()
        self._estimates = Estimates()
        self._quiet: asyncio.Future[None] | None = None
        self.live: dict[Exchange, None] = {}

    async def count_phases(self) -> Mapping[str, int]:
        """How many exchanges are in each phase, including zeros. Thousands are counted in slices,
        between which other work runs; those that end meanwhile are left out."""
        counts: Counter[Phase] = Counter()
        async for exchange in in_turns(list(self.live), _COUNTED_PER_TURN):
            if exchange in self.live:
                counts[exchange.phase] += 1
        return {phase.value: counts[phase] for phase in Phase}

    def begin(self, request: ClientRequest, admitted: Admitted | None) -> Exchange:
        """``admitted``: what is remembered of such a head, if anything."""
        head = request.head
        if admitted is not None:
            ident, target = admitted.request_id, admitted.log_target
        else:
            ident, target = accept_request_id(head.headers), log_target(head.target)
        client = self._serving.snapshot.proxies.client(request.client.peer, head.headers)
        now = self._loop.time()
        exchange = Exchange(ident or self._ids.new(), now, head.method, target, client)
        exchange.request = request
        self.live[exchange] = None
        return exchange

    def cancel(self, exchange: Exchange) -> None:
        """End it, in any state; its client gets an error."""
        request = exchange.request
        if request is None:
            return
        exchange.stopped = error = Forbidden(_CANCELLED, code="cancelled")
        flow = request.client.relay
        if flow is not None and exchange.phase is Phase.STREAMING:
            flow.cut(Terminal.CANCELLED, error)
        else:
            request.client.cancel_answer()

    def begin_rejected(self, method: str, target: str, client: str) -> Exchange:
        """An exchange that is about to end, for bytes that are not a request."""
        now = self._loop.time()
        return Exchange(self._ids.new(), now, method, log_target(target), client)

    def end(
        self, exchange: Exchange, reply: ReplyFacts, cancel: float | None = None
    ) -> ExchangeRecord:
        """Release what it holds, record its result, and return that. Raises nothing."""
        exchange.let_go()
        self.live.pop(exchange, None)
        exchange.request = None
        if self._quiet is not None and not self.live:
            self._quiet.set_result(None)
            self._quiet = None
        record = exchange.record(reply, self._loop.time(), cancel)
        if record.text_size:
            record = self._look_for_cut(record)
        record = self._estimates.fill(record)
        access_log = self._serving.current.access_log
        for sink in self._sinks if access_log is None else (*self._sinks, access_log):
            try:
                sink(record)
            except Exception:
                # The client has its answer; the next request on its connection must not wait for
                # this.
                log.exception("request %s was not recorded everywhere", record.request_id)
        return record

    async def wait_quiet(self) -> None:
        """Wait until no request is being answered."""
        while self.live:
            self._quiet = self._quiet or self._loop.create_future()
            await self._quiet

    def _look_for_cut(self, record: ExchangeRecord) -> ExchangeRecord:
        try:
            size = self._cuts.judge(record)
        except Exception:
            log.exception("cannot tell whether the prompt of request %s was cut", record.request_id)
            return record
        return record if size is None else replace(record, cut_to=size)


class _RequestIds:
    """32 random hex digits, drawn for 256 requests in one system call."""

    __slots__ = ("_at", "_drawn")

    def __init__(self) -> None:
        self._drawn = ""
        self._at = 0

    def new(self) -> str:
        start = self._at
        if start == len(self._drawn):
            self._drawn, start = os.urandom(16 * 256).hex(), 0
        self._at = start + 32
        return self._drawn[start : self._at]
