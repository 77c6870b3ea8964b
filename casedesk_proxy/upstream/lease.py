"""What an exchange holds of a node: its connection and its slot, until the reply ends."""

from __future__ import annotations

from dataclasses import dataclass

from casedesk_proxy.planning.route import Route
from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.pools.node import LiveReply, Slot
from casedesk_proxy.snapshot import NodeSpec
from casedesk_proxy.terms import record
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.upstream.delayed_acks import WatchedStream
from casedesk_proxy.upstream.pool import ConnectionPool
from casedesk_proxy.upstream.slots import Slots
from casedesk_proxy.wire.http1 import ResponseHead

__all__ = ["Lease", "LeasedReply"]


@dataclass(slots=True)
class Lease:
    """A node's connection, taken for one exchange. ``end`` must be called; further calls do
    nothing.

    A lease outlives the reply's head and route, which a stream of hours does not need: they hold
    the request's body and both sides' headers.
    """

    node: NodeSpec
    connection: NodeConnection
    _keep_alive: bool
    _pool: ConnectionPool
    _slot: Slot
    _slots: Slots
    _stream: LiveReply | None = None
    _watched: WatchedStream | None = None

    def begin(self, stream: LiveReply) -> None:
        """Watch a reply that has begun: while its ``events`` grow, the node is alive."""
        self._stream = stream
        self._slot.state.begin_stream(stream)
        if self._pool.acks is not None:
            self._watched = self._pool.acks.watch(self.connection, stream)

    def end(self, *, clean: bool, whole: bool = False, fault: NodeFault | None = None) -> None:
        """End the exchange. ``clean``: the connection is at the message's end. ``whole``: the
        answer is complete and not an error. ``fault``: what the begun reply showed against the
        node. The slot is returned whatever is raised."""
        if not self._slot.taken:
            return
        try:
            self._let_go(clean)
            if fault is not None:
                self._slots.record_failure(
                    self._slot.state, fault, f"a reply ended early ({fault})"
                )
            elif whole:
                self._slots.record_whole_reply(self._slot.state)
        finally:
            self._slots.release(self._slot)

    def abandon(self) -> None:
        """End it after an internal error."""
        self.end(clean=False)

    def _let_go(self, clean: bool) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            self._slot.state.end_stream(stream)
        if self._watched is not None:
            self._watched.end()
            self._watched = None
        kept = False
        try:
            if clean:
                self._pool.give_back(self.connection, self._keep_alive)
                kept = True
        finally:
            if not kept:
                self.connection.abort()


@record
class LeasedReply:
    """A node's reply whose head has arrived. ``asked`` is the client's name of the model."""

    lease: Lease
    head: ResponseHead
    route: Route
    asked: str
