"""Slots at nodes, and the requests that wait for one: `pools.admission` decides, this module wakes
the requests."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from casedesk_proxy.errors import Busy, LimitReached, NoNode
from casedesk_proxy.limits.judging import refuse_parallel
from casedesk_proxy.pools.admission import Admission, Rejection, Ticket
from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.pools.node import NodeState, Service, Slot
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.snapshot import Snapshot
from casedesk_proxy.upstream.shared_slots import Counts, SharedSlots
from casedesk_proxy.wording import Wording

__all__ = ["Slots"]

log = logging.getLogger(__name__)

#: ``Retry-After`` while a model's nodes are drained: operators are slower than queues.
_DRAINED_RETRY_AFTER_S = 10.0
#: Seconds after which a waiting request learns of a slot that another instance has returned.
_OTHERS_CHECK_S = 0.005
#: The longest time in seconds until all learn that an instance has ended without notice.
_REFRESH_S = 0.25


class Slots:
    """Owns the nodes' live state, which is keyed by name and survives a change of snapshot. Code
    that changes something about a node reports it here, since a request may wait for that."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.admission = Admission()
        #: Called with the name of a node that lacks a model or service that it was believed to
        #: have.
        self.on_service_lost: Callable[[str], None] = lambda name: None
        self._waiters: dict[Ticket, asyncio.Future[bool]] = {}
        self._timer: asyncio.TimerHandle | None = None
        #: What other instances of this host use; None if slots are not shared.
        self._shared: SharedSlots | None = None
        self._refreshing: asyncio.TimerHandle | None = None

    def share(self, table: Counts) -> None:
        """Share slots with all instances that use the table."""
        self._shared = SharedSlots(self.admission, table)
        self._refresh()

    def _refresh(self) -> None:
        assert self._shared is not None
        if self._shared.refresh(self._loop.time()):
            self.serve_waiting()
        self._refreshing = self._loop.call_later(_REFRESH_S, self._refresh)

    @property
    def states(self) -> Mapping[str, NodeState]:
        return self.admission.states

    def apply(self, snapshot: Snapshot) -> None:
        """Apply another configuration. Requests at a node that is no longer configured finish."""
        states = self.admission.states
        for name, node in snapshot.nodes.items():
            state = states.setdefault(name, NodeState(name))
            state.limit, state.weight = node.config.max_streams, node.config.weight
            state.draining, state.gone = node.config.drain, False
            state.clear_denials()
        for name in [name for name in states if name not in snapshot.nodes]:
            states[name].draining = states[name].gone = True
            if not states[name].in_flight:
                del states[name]
        self.serve_waiting()

    def close(self) -> None:
        for timer in (self._timer, self._refreshing):
            if timer is not None:
                timer.cancel()

    def enqueue(self, ticket: Ticket, max_waiting: int) -> None:
        """Decide about a new ticket. It usually gets a slot; otherwise call `wait`."""
        now = self._loop.time()
        if self._shared is not None:
            self._read_others(now)
            self._shared.read_for(ticket, now)
        self._commit(self.admission.enqueue(ticket, now, max_waiting), now)

    async def wait(self, ticket: Ticket, limit_s: float) -> Slot:
        """Wait up to ``limit_s`` for the ticket's slot. Raises Busy, LimitReached or
        NoNode."""
        if not ticket.is_decided:
            await self._wait(ticket, limit_s)
        if ticket.slot is not None:
            return ticket.slot
        if ticket.rejection is Rejection.NO_NODE:
            raise self._no_node(ticket.demand)
        raise self._too_many(ticket)

    def release(self, slot: Slot) -> None:
        """Take a slot back: an exchange has ended at its node."""
        now = self._loop.time()
        self._read_others(now)
        decided = self.admission.release(slot, now)
        if self._shared is not None:
            self._shared.publish_slot(slot)
        if decided or self.admission.has_waiting:
            self._commit(decided, now)

    def cancel(self, ticket: Ticket) -> None:
        """Drop the ticket of a request that has ended: it no longer waits, and its slot is
        returned."""
        if ticket.slot is not None:
            if ticket.slot.taken:
                self.release(ticket.slot)
            return
        now = self._loop.time()
        self._commit(self.admission.cancel(ticket, now), now)

    def record_failure(self, state: NodeState, fault: NodeFault, error: Wording) -> None:
        """Count a failure against a node. If that takes the node out of service, it is logged
        once."""
        well = state.breaker.is_closed()
        shown = error if isinstance(error, str) else error.text(state.name)
        state.record_failure(self._loop.time(), fault, shown)
        if well and not state.breaker.is_closed():
            log.warning("node %s is down: %s", state.name, error)
        self.serve_waiting()

    def record_service_failure(
        self, state: NodeState, service: Service, fault: NodeFault, error: str
    ) -> None:
        """Count a failure against one service of a node only."""
        if state.record_service_failure(self._loop.time(), service, fault, error):
            log.warning(
                "node %s is down for %s requests to %s: %s",
                state.name,
                service[1],
                service[0],
                error,
            )
        self.on_service_lost(state.name)
        self.serve_waiting()

    def note_full(self, state: NodeState, error: str) -> None:
        """Note that a node reports that it is full."""
        state.breaker.note_error(self._loop.time(), error)
        self.serve_waiting()

    def mark_hung(self, state: NodeState, silent_s: float) -> None:
        """Mark a node that has been silent for ``silent_s`` and has answered no probe."""
        if state.hung:
            return
        state.hung_at = self._loop.time()
        reason = f"it has sent nothing and answered no health check for {silent_s:.1f} s"
        state.breaker.note_error(state.hung_at, reason)
        log.warning(
            "node %s is hung: %s; it gets no new requests while another node can serve them; its"
            " running requests continue",
            state.name, reason,
        )  # fmt: skip

    def mark_heard(self, state: NodeState) -> None:
        """Note that a node has sent something, whatever it was."""
        state.last_heard_at = self._loop.time()
        if state.hung:
            state.hung_at = None
            log.info("node %s answers again", state.name)
            self.serve_waiting()

    def record_head(self, state: NodeState, service: Service | None = None) -> None:
        """Count a reply's head in favour of its node."""
        well = state.breaker.is_closed()
        state.record_head(service)
        if not well:
            self._log_recovered(state)

    def record_whole_reply(self, state: NodeState) -> None:
        """Count a whole reply in favour of its node: it proves more than a head."""
        breaker = state.breaker
        if breaker.broken_replies or breaker.cause is NodeFault.BROKE:
            well = breaker.is_closed()
            breaker.record_success()
            if not well:
                self._log_recovered(state)

    def probe_ok(self, state: NodeState) -> None:
        """Note that a node answered a probe, or answered a request with an error that the request
        itself caused."""
        if not state.breaker.is_closed():
            state.breaker.probe_ok()
            self._log_recovered(state)

    def _log_recovered(self, state: NodeState) -> None:
        if state.breaker.is_closed():
            log.info("node %s is up again", state.name)
            self.serve_waiting()

    def set_slot_count(self, name: str, slots: int | None) -> None:
        """Set how many requests a node runs at once, as it reported."""
        state = self.states.get(name)
        if state is not None and state.slots != slots:
            state.slots = slots
            self.serve_waiting()

    def serve_waiting(self) -> None:
        """Serve requests that need not wait any longer: something about a node has changed."""
        if self.admission.has_waiting:
            now = self._loop.time()
            self._read_others(now)
            self._commit(self.admission.serve_waiting(now), now)

    def _read_others(self, now: float) -> None:
        if self.admission.has_waiting and self._shared is not None and self._shared.has_others:
            self._shared.read_all(now)

    async def _wait(self, ticket: Ticket, limit_s: float) -> None:
        """Wait for a decision, at most ``limit_s``. A client that leaves meanwhile is removed
        from the queue at once, and a slot that it was just given goes to the next."""
        waiter = self._waiters[ticket] = self._loop.create_future()
        timer = self._loop.call_later(limit_s, _resolve, waiter, False)
        try:
            decided = await waiter
        except BaseException:
            self.cancel(ticket)
            raise
        finally:
            timer.cancel()
            del self._waiters[ticket]
        if not decided:
            self.cancel(ticket)
            ticket.reached = self.admission.find_reached(ticket)
            raise self._too_many(ticket)

    def _no_node(self, demand: Demand) -> NoNode:
        """The error if all nodes that have the model are being drained, or have left the
        configuration."""
        draining = [name for name in demand.nodes if name in self.states]
        named = f"{'node' if len(draining) == 1 else 'nodes'} {', '.join(draining)}"
        where = f"only at {named}, being drained" if draining else "no longer at any node"
        return NoNode(
            f"the model '{demand.model[:200]}' is {where}; try again later",
            retry_after=_DRAINED_RETRY_AFTER_S,
        )

    def _too_many(self, ticket: Ticket) -> LimitReached | Busy:
        if ticket.reached is not None:
            return refuse_parallel(ticket.reached.rules, time.time())
        hint = self.admission.retry_after(ticket.deployment, self._loop.time())
        return Busy("all nodes of this deployment are busy; try again later", retry_after=hint)

    def _commit(self, decided: list[Ticket], now: float) -> None:
        """Wake the requests that got a decision. A request whose slot another instance took first
        still waits."""
        if self._shared is not None:
            decided = self._shared.commit(decided, now)
        for ticket in decided:
            waiter = self._waiters.get(ticket)
            if waiter is not None:
                _resolve(waiter, True)
        if self.admission.has_waiting:
            self._arm()

    def _arm(self) -> None:
        """Check again when a node may have become free by the passing of time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._loop.time()
        when = self.admission.next_change(now)
        if self._shared is not None and self._shared.has_others:
            self._timer = self._loop.call_at(now + _OTHERS_CHECK_S, self._check_others, when)
        elif when is not None:
            self._timer = self._loop.call_at(when, self.serve_waiting)

    def _check_others(self, when: float | None) -> None:
        """Check whether another instance, or the passing of time, has made a slot free."""
        assert self._shared is not None
        now = self._loop.time()
        if self._shared.read_all(now) or (when is not None and now >= when):
            self.serve_waiting()
        elif self.admission.has_waiting:
            self._arm()


def _resolve(waiter: asyncio.Future[bool], decided: bool) -> None:
    if not waiter.done():
        waiter.set_result(decided)
