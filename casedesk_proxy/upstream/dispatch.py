"""Choose a node, connect, ask; maybe another node. Owns what is live about nodes.

Another node is tried only before the first byte to the client, and only where no generation can
have begun: after a failed connect, or a plain 429, 502 or 503. A *reused* connection that fails
before its first reply byte is replaced once: the node closed it while our request was on its
way (RFC 9112 section 9.3.1).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from casedesk_proxy.config.engines import SENDS_AT_ONCE
from casedesk_proxy.errors import (
    Busy,
    ConnectFailed,
    NoNode,
    StreamBroken,
    UpstreamFault,
    UpstreamTimeout,
)
from casedesk_proxy.exchange.outcome import Outcome
from casedesk_proxy.exchange.plan import Plan
from casedesk_proxy.exchange.route import Route
from casedesk_proxy.exchange.snapshot import NodeSpec, Snapshot
from casedesk_proxy.pools.choose import choose
from casedesk_proxy.pools.node import NodeState
from casedesk_proxy.upstream.connection import ConnectionBroken, NodeConnection
from casedesk_proxy.upstream.pool import ConnectionPool
from casedesk_proxy.upstream.tls import node_tls
from casedesk_proxy.wire.http1 import ResponseHead

__all__ = ["Dispatcher", "Lease", "Reply"]

_TRY_ANOTHER = frozenset({429, 502, 503})


@dataclass(slots=True)
class Lease:
    """A node's connection, taken for one exchange. ``end`` must be called exactly once.

    It outlives the reply's head and route, which a stream of hours has no use for: they hold the
    request's body and both sides' headers.
    """

    node: NodeSpec
    connection: NodeConnection
    _keep_alive: bool
    _pool: ConnectionPool
    _state: NodeState

    def end(self, *, clean: bool) -> None:
        """The exchange is over. ``clean``: the connection stands at the message's end."""
        self._state.end()
        if clean:
            self._pool.give_back(self.connection, self._keep_alive)
        else:
            self.connection.abort()


@dataclass(frozen=True, slots=True)
class Reply:
    """A node's reply whose head has come."""

    lease: Lease
    head: ResponseHead
    route: Route


class Dispatcher:
    """Live state and connections are keyed by node name and survive a change of snapshot."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.states: dict[str, NodeState] = {}
        self._pools: dict[tuple[bool, str, int, str], ConnectionPool] = {}
        self._turns: dict[str, int] = {}

    def adopt(self, snapshot: Snapshot) -> None:
        """Take over a configuration. Raises OSError where a node's CA file cannot be read."""
        pools = {_address(node): self._pool(node) for node in snapshot.nodes.values()}
        for address in self._pools.keys() - pools.keys():
            self._pools[address].close()
        self._pools = pools
        for name, node in snapshot.nodes.items():
            state = self.states.setdefault(name, NodeState(name))
            state.limit, state.weight = node.config.max_streams, node.config.weight

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    async def open(self, plan: Plan, outcome: Outcome) -> Reply:
        """The reply of the first node that gives one. Raises an UpstreamFault or Busy."""
        fault: UpstreamFault | Busy = self._none_available(plan)
        untried = {node.name: node for node in plan.nodes}
        while (state := self._choose(plan, untried)) is not None:
            node = untried.pop(state.name)
            outcome.node = node.name
            outcome.attempts += 1
            try:
                reply = await self._ask(plan, node, state)
            except ConnectFailed as error:
                state.fail(self._loop.time(), error.message)
                fault = error
                continue
            if reply.head.status in _TRY_ANOTHER and self._choose(plan, untried) is not None:
                state.last_error = f"answered {reply.head.status}"
                reply.lease.end(clean=False)
                continue
            return reply
        raise fault

    def _choose(self, plan: Plan, untried: Iterable[str]) -> NodeState | None:
        turn = self._turns.get(plan.deployment.name, 0)
        self._turns[plan.deployment.name] = turn + 1
        states = [self.states[name] for name in untried]
        return choose(plan.deployment.policy, states, turn, self._loop.time())

    def _none_available(self, plan: Plan) -> UpstreamFault | Busy:
        if any(self.states[node.name].is_full() for node in plan.nodes):
            return Busy("all nodes of this deployment are busy", retry_after=1)
        return NoNode("no node of this deployment is available")

    async def _ask(self, plan: Plan, node: NodeSpec, state: NodeState) -> Reply:
        """One attempt at one node. The in-flight count goes down on every way out but the
        reply's, whose ``end`` does it."""
        state.begin()
        pool = self._pools[_address(node)]
        route = plan.routes[node.name]
        request = route.request_for(node)
        try:
            connection = pool.reuse()
            if connection is not None:
                try:
                    head = await self._head(connection, request, node)
                except ConnectionBroken as error:
                    if not error.silent:
                        raise
                    connection = None
            if connection is None:
                connection = await self._connect(pool, node)
                head = await self._head(connection, request, node)
        except ConnectionBroken as error:
            state.end()
            state.last_error = str(error)
            raise StreamBroken(f"node {node.name} gave no reply: {error}") from None
        except BaseException:
            state.end()
            raise
        state.recover()
        reply = Reply(Lease(node, connection, head.keep_alive, pool, state), head, route)
        if 300 <= head.status < 400:
            reply.lease.end(clean=False)
            raise StreamBroken(
                f"node {node.name} answered with a redirect, which is never followed"
            )
        return reply

    async def _connect(self, pool: ConnectionPool, node: NodeSpec) -> NodeConnection:
        try:
            async with asyncio.timeout(node.config.connect_timeout):
                return await pool.open()
        except TimeoutError:
            raise ConnectFailed(f"node {node.name} did not accept a connection in time", status=504,
                                code="node_timeout") from None  # fmt: skip
        except ssl.SSLError as error:
            reason = error.reason or "handshake failed"
            raise ConnectFailed(f"node {node.name}: TLS: {reason}") from None
        except OSError as error:
            reason = "refused the connection" if error.errno == 111 else "cannot be reached"
            raise ConnectFailed(f"node {node.name} {reason}") from None

    async def _head(
        self, connection: NodeConnection, request: bytes, node: NodeSpec
    ) -> ResponseHead:
        try:
            async with asyncio.timeout(node.config.first_byte_timeout):
                return await connection.ask(request)
        except TimeoutError:
            connection.abort()
            raise UpstreamTimeout(f"node {node.name} sent no reply in time") from None
        except asyncio.CancelledError:
            connection.abort()
            raise

    def _pool(self, node: NodeSpec) -> ConnectionPool:
        known = self._pools.get(_address(node))
        if known is not None:
            return known
        return ConnectionPool(
            self._loop,
            node.host,
            node.port,
            node_tls(node),
            delayed_acks=not node.secure and node.engine in SENDS_AT_ONCE,
        )


def _address(node: NodeSpec) -> tuple[bool, str, int, str]:
    return node.secure, node.host, node.port, repr(node.config.tls)
