"""Gets a request a slot at a node, a connection and the reply; after a failure, from another node.

The dispatcher owns the live state of nodes: their slots and their connections. Another node is
tried only before the first byte to the client, by the rules of `pools.retry`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from casedesk_proxy.planning.filling import FilledRoute
from casedesk_proxy.planning.held import HeldRoute
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.planning.route import Route
from casedesk_proxy.pools.admission import Ticket
from casedesk_proxy.pools.control_memory import ControlMemory
from casedesk_proxy.pools.node import Slot
from casedesk_proxy.pools.response_memory import ResponseMemory
from casedesk_proxy.pools.retry import Failure, may_try_another
from casedesk_proxy.replying.record import Phase
from casedesk_proxy.snapshot import NodeSpec, Snapshot
from casedesk_proxy.terms import Framing
from casedesk_proxy.turns import Turns
from casedesk_proxy.upstream.attempt import Attempt, AttemptFailed
from casedesk_proxy.upstream.attempts import Attempts, Beginning, Next
from casedesk_proxy.upstream.error_bodies import REMAINDER_WAIT_S
from casedesk_proxy.upstream.file_upload import FileUpload
from casedesk_proxy.upstream.held_upload import HeldUpload
from casedesk_proxy.upstream.judging import (
    TRY_ANOTHER,
    judge_refusal,
    pass_on_refusal,
    record_reply,
)
from casedesk_proxy.upstream.lease import Lease, LeasedReply
from casedesk_proxy.upstream.node_files import NodeFiles
from casedesk_proxy.upstream.pool import ConnectionPool, NodeAddress
from casedesk_proxy.upstream.side_requests import run_with_side_request
from casedesk_proxy.upstream.slots import Slots
from casedesk_proxy.upstream.tls import context_of
from casedesk_proxy.upstream.upload_attempt import UploadAttempt
from casedesk_proxy.upstream.uploading import Upload

__all__ = ["Dispatcher", "Failover"]

#: How many failovers the status page shows.
MAX_FAILOVERS = 50


@dataclass(frozen=True, slots=True)
class Failover:
    """A request that went to another node. ``at`` by the loop's clock."""

    at: float
    deployment: str
    model: str
    from_node: str
    why: str
    to_node: str


class Dispatcher:
    """Connections are kept by node address, also after a change of snapshot, as is the memory of
    which node keeps which response. ``control_memory``, the controls that nodes have refused and
    accepted, is not kept then. ``error_wait_s``: see `upstream.judging.judge_refusal`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, error_wait_s: float = REMAINDER_WAIT_S,
        turns: Turns | None = None,
    ) -> None:  # fmt: skip
        self._loop = loop
        self._turns = turns or Turns(loop)
        self._error_wait_s = error_wait_s
        self.slots = Slots(loop)
        self.control_memory = ControlMemory()
        self.response_memory = ResponseMemory()
        self.failovers: deque[Failover] = deque(maxlen=MAX_FAILOVERS)
        self._node_files = NodeFiles(loop)
        self._pools: dict[NodeAddress, ConnectionPool] = {}
        #: By the nodes' names; valid as long as a node's configuration is the same object.
        self._pool_of: dict[str, tuple[NodeSpec, ConnectionPool]] = {}

    def apply(self, snapshot: Snapshot) -> None:
        """Apply a new configuration to connections and slots. Requests at a node that is no longer
        configured finish. Cannot fail: no file is read, see `upstream.tls`."""
        self._pool_of.clear()
        before, self._pools = self._pools, {}
        for node in snapshot.nodes.values():
            address = _address(node)
            # Several nodes may have one address, each with its own models and key.
            if address not in self._pools:
                self._pools[address] = before.get(address) or self._make_pool(node)
        for address in before.keys() - self._pools.keys():
            before[address].close()
        self.slots.apply(snapshot)
        self.control_memory.clear()

    def close(self) -> None:
        self.slots.close()
        for pool in self._pools.values():
            pool.close()

    def is_available(self, node: str, model: str) -> bool:
        """Whether a request for that model would get a slot at the node now."""
        state = self.slots.states.get(node)
        return state is not None and state.is_available(self._loop.time(), model)

    def new_attempts(self, key: str) -> Attempts:
        """A new record of attempts, for a request of the client with ``key``."""
        return Attempts(key, self.control_memory)

    async def open(self, plan: Plan, attempts: Attempts) -> LeasedReply:
        """The reply of the first node that gives one. Nodes that were lost with this request before
        are not asked again. Raises an UpstreamFault or Busy."""
        attempts.begin(plan, self._loop.time())
        while True:
            ticket, reply = self._ticket(attempts), None
            try:
                slot = ticket.slot or await self._wait(attempts, ticket)
                node = self._note_attempt(attempts, slot.state.name)
                reply = await self._attempt(plan, node, slot, attempts)
                if record_reply(self.slots, slot.state, reply, plan):
                    return reply
                verdict = await judge_refusal(
                    self._loop, self.slots, slot.state, reply, plan, self._error_wait_s
                )
                if verdict not in TRY_ANOTHER:
                    return reply
                attempts.note_failure(node.name, str(reply.head.status), self._loop.time())
                if not self._may_retry(attempts, Failure.REFUSED):
                    return pass_on_refusal(reply, verdict, plan)
                reply.lease.end(clean=False)
            except AttemptFailed as failed:
                attempts.note_failure(slot.state.name, failed.failure, self._loop.time())
                if not self._may_retry(attempts, failed.failure):
                    raise failed.last_word() from None
                attempts.replays += failed.failure is Failure.LOST
            except BaseException:
                # On any exception, also after an internal error, slot and connection are returned.
                if reply is not None:
                    reply.lease.abandon()
                self.slots.cancel(ticket)
                raise

    def decide(self, attempts: Attempts, beginning: Beginning) -> Next:
        """What happens to a request whose reply has begun."""
        may_move_on = beginning.is_lost and not attempts.is_spent and self._may_move_on(attempts)
        return attempts.decide(beginning, may_move_on=may_move_on)

    def _may_move_on(self, attempts: Attempts) -> bool:
        """Whether a request may go to another node after its node was lost, when the reply had
        begun but nothing of it was sent to the client. Counts like a loss before the head."""
        plan, lost = attempts.plan, attempts.lost
        others = (name for name in plan.demand.nodes if name not in {*lost, attempts.node})
        states = [self.slots.states.get(name) for name in others]
        usable = any(state is not None and not state.draining for state in states)
        overdue = not plan.deployment.config.failover_timeout
        return usable and may_try_another(Failure.LOST, len(lost), overdue)

    def _note_attempt(self, attempts: Attempts, name: str) -> NodeSpec:
        """Note that the node is asked now and, after a failover, which node it replaces."""
        if attempts.last_failure is not None:
            self._remember(attempts, name)
        return attempts.ask(name)

    # Getting a slot.

    def _ticket(self, attempts: Attempts) -> Ticket:
        """A ticket for the nodes that are left. It usually has a slot at one of them already."""
        deployment = attempts.plan.deployment
        ticket = Ticket(deployment.name, attempts.key, attempts.demand(), attempts.caps)
        try:
            self.slots.enqueue(ticket, deployment.config.max_waiting)
        except BaseException:
            self.slots.cancel(ticket)
            raise
        return ticket

    async def _wait(self, attempts: Attempts, ticket: Ticket) -> Slot:
        """Wait for the ticket's slot. Raises Busy, LimitReached or NoNode."""
        now = self._loop.time()
        if ticket.is_decided:
            return await self.slots.wait(ticket, 0.0)
        attempts.phase, attempts.ticket = Phase.QUEUED, ticket
        limit = min(attempts.plan.deployment.config.queue_timeout, attempts.give_up_at - now)
        try:
            slot = await self.slots.wait(ticket, limit)
        finally:
            attempts.queued += self._loop.time() - now
        if attempts.recheck is not None:
            attempts.recheck()
        return slot

    # Asking the node.

    async def _attempt(
        self, plan: Plan, node: NodeSpec, slot: Slot, attempts: Attempts
    ) -> LeasedReply:
        """One attempt. Raises AttemptFailed after returning the slot. On any other exception the
        caller must return it."""
        pool, route, deployment = self._pool(node), plan.routes[node.name], plan.deployment
        if isinstance(route, FilledRoute) and attempts.contents is not None:
            route = await self._node_files.fit(route, node, pool, attempts.contents)
        parameters = (
            node.name, pool, route.request_for(node),
            deployment.connect_timeout(node), deployment.first_byte_timeout(node),
            plan.upgrades, plan.framing is not Framing.UNARY,
        )  # fmt: skip
        upload = self._upload(route, attempts)
        attempt = Attempt(*parameters) if upload is None else UploadAttempt(*parameters, upload)
        try:
            if route.side_request is None:
                connection, head = await attempt.run()
            else:
                connection, head = await run_with_side_request(attempt, route, node, pool)
        except AttemptFailed as failed:
            try:
                self.slots.record_failure(slot.state, failed.fault, failed.cause)
            finally:
                self.slots.release(slot)
            raise
        try:
            lease = Lease(node, connection, head.keep_alive, pool, slot, self.slots)
            return LeasedReply(lease, head, route, plan.asked)
        except BaseException:
            connection.abort()
            raise

    def _upload(self, route: Route, attempts: Attempts) -> Upload | None:
        """What sends the part of the request that is not in memory; None if all of it is in
        memory."""
        if isinstance(route, FilledRoute) and attempts.contents is not None:
            return FileUpload(self._loop, route.parts[1:], attempts.contents)
        if isinstance(route, HeldRoute) and route.content is not None:
            return HeldUpload(self._loop, route.content)
        return attempts.upload

    def _may_retry(self, attempts: Attempts, failure: Failure) -> bool:
        """Whether another node is asked. After a refusal only healthy nodes count: passing the
        refusal on, even a 503, is better than asking a node that is surely down."""
        if attempts.is_spent:
            return False
        now = self._loop.time()
        names = [node.name for node in attempts.untried]
        states = [self.slots.states[name] for name in names if name in self.slots.states]
        if failure is Failure.REFUSED:
            service = attempts.plan.demand.service
            states = [state for state in states if state.is_healthy(now, service)]
        usable = any(not state.draining for state in states)
        overdue = now >= attempts.give_up_at
        return usable and may_try_another(failure, attempts.replays, overdue)

    def _remember(self, attempts: Attempts, to_node: str) -> None:
        assert attempts.last_failure is not None
        plan, now = attempts.plan, self._loop.time()
        from_node, why = attempts.last_failure
        made = Failover(now, plan.deployment.name, plan.model, from_node, why, to_node)
        self.failovers.append(made)

    def _pool(self, node: NodeSpec) -> ConnectionPool:
        """The connections to a node's address: existing ones, or new ones for a node that left the
        configuration while a request waited for it."""
        seen = self._pool_of.get(node.name)
        if seen is not None and seen[0] is node:
            return seen[1]
        known = self._pools.get(_address(node)) or self._make_pool(node)
        self._pool_of[node.name] = node, known
        return known

    def _make_pool(self, node: NodeSpec) -> ConnectionPool:
        in_clear = not node.secure and node.socket is None
        return ConnectionPool(
            self._loop,
            _address(node),
            delayed_acks=in_clear and node.engine.sends_at_once,
            turns=self._turns,
        )


def _address(node: NodeSpec) -> NodeAddress:
    return NodeAddress(node.host, node.port, node.socket, context_of(node))
