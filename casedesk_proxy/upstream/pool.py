"""Connections to one node: opened when needed, kept for the next request, closed when idle.

Nodes close idle connections after 5 s (llama-server and every uvicorn node, measured), so ours
expire earlier. If a node closes a connection just as a request is sent, the caller replaces the
connection once (`attempt`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import NamedTuple

from casedesk_proxy.fastpath.cork import CorkedWrites
from casedesk_proxy.fastpath.head_cache import HeadCache
from casedesk_proxy.turns import Turns
from casedesk_proxy.upstream.connection import NodeConnection
from casedesk_proxy.upstream.deadlines import Deadlines
from casedesk_proxy.upstream.delayed_acks import DelayedAcks
from casedesk_proxy.upstream.unix_sockets import connect
from casedesk_proxy.wire.http1 import parse_response_head

__all__ = ["IDLE_TIMEOUT_S", "ConnectionPool", "NodeAddress"]

#: How long an unused connection is kept.
IDLE_TIMEOUT_S = 4.0
#: How many unused connections are kept per node.
MAX_IDLE_CONNECTIONS = 256


class NodeAddress(NamedTuple):
    """Where a node listens: at ``host`` and ``port``, or in their place at the Unix socket
    ``path``. ``tls``: None for http. Nodes with equal settings share a context; a change of the CA
    file's content makes a new one."""

    host: str
    port: int
    path: str | None = None
    tls: ssl.SSLContext | None = None


class ConnectionPool:
    """The most recently used idle connection is reused first, so that the others can expire.

    ``delayed_acks``: acknowledge the node's packets after a delay, see the module of that name.
    Only for nodes that send without waiting for acknowledgements.
    """

    __slots__ = (
        "_cork",
        "_deadlines",
        "_heads",
        "_idle",
        "_idle_timeout_s",
        "_loop",
        "_timer",
        "_turns",
        "acks",
        "address",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        address: NodeAddress,
        *,
        delayed_acks: bool = False,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
        turns: Turns | None = None,
    ) -> None:
        self._idle_timeout_s = idle_timeout_s
        self._loop = loop
        self._deadlines = Deadlines(loop)
        self._heads = HeadCache(parse_response_head)
        self._cork = CorkedWrites(loop)
        self._turns = turns or Turns(loop)
        self.acks = DelayedAcks(loop, self._turns) if delayed_acks else None
        self.address = address
        self._idle: deque[tuple[float, NodeConnection]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def reuse(self) -> NodeConnection | None:
        """An idle connection that seems alive, or None."""
        oldest_allowed = self._loop.time() - self._idle_timeout_s
        while self._idle:
            since, connection = self._idle.pop()
            if since >= oldest_allowed and connection.is_reusable():
                return connection
            connection.abort()
        return None

    async def open(self) -> NodeConnection:
        """A new connection. Raises OSError (TLS errors included)."""
        host, port, path, tls = self.address
        if path is not None:
            _, connection = await self._loop.create_unix_connection(
                self._connection, sock=await connect(path)
            )
            return connection
        _, connection = await self._loop.create_connection(
            self._connection,
            host,
            port,
            ssl=tls,
            server_hostname=host if tls else None,
        )
        if self.acks is not None:
            try:
                connection.delay_acks()
            except OSError:
                connection.abort()
                raise
        return connection

    def _connection(self) -> NodeConnection:
        return NodeConnection(self._loop, self._deadlines, self._heads, self._cork, self._turns)

    def give_back(self, connection: NodeConnection, keep_alive: bool) -> None:
        """Keep a connection whose exchange has ended, if both sides agree and it is clean."""
        if (
            not keep_alive
            or not connection.is_reusable()
            or len(self._idle) >= MAX_IDLE_CONNECTIONS
        ):
            connection.abort()
            return
        self._idle.append((self._loop.time(), connection))
        if self._timer is None:
            self._timer = self._loop.call_later(self._idle_timeout_s, self._expire)

    def close(self) -> None:
        """Close idle connections. A connection in use is closed by its exchange."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._idle:
            self._idle.pop()[1].abort()
        if self.acks is not None:
            self.acks.close()

    def _expire(self) -> None:
        self._timer = None
        oldest_allowed = self._loop.time() - self._idle_timeout_s
        while self._idle and (
            self._idle[0][0] <= oldest_allowed or not self._idle[0][1].is_reusable()
        ):
            self._idle.popleft()[1].abort()
        if self._idle:
            wait = self._idle[0][0] - oldest_allowed
            self._timer = self._loop.call_later(wait, self._expire)
