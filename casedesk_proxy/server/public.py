"""The public side's clients together: who is connected, what they share, and how they are
closed."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial

from casedesk_proxy.fastpath.cork import CorkedWrites
from casedesk_proxy.fastpath.head_cache import HeadCache
from casedesk_proxy.relay.body_memory import BodyMemory
from casedesk_proxy.server.connection import ClientConnection
from casedesk_proxy.server.hangups import HangUps
from casedesk_proxy.server.limits import ServerLimits
from casedesk_proxy.server.owner import Answer, Reject
from casedesk_proxy.server.quiet import QuietClients
from casedesk_proxy.server.stalls import Stalls
from casedesk_proxy.turns import Turns
from casedesk_proxy.wire.http1 import parse_request_head

__all__ = ["PublicServer"]

#: Seconds for which a recently used connection waits for one more request while the server closes:
#: one may be on its way, and a client that pools connections cannot know of the end.
_LAST_REQUEST_WAIT_S = 1.0
#: Connections that get the notice of the end in one round of the loop.
_FINISHED_PER_TURN = 100


class PublicServer:
    """Makes a ClientConnection for every client; ``connections`` are the open ones.
    ``handshake_timeout_s``: how long a TLS handshake may take, 0 without TLS. The other timeouts
    are settings of the configuration's ``server``; ``limits`` are the active ones."""

    def __init__(
        self,
        answer: Answer,
        reject: Reject,
        *,
        head_timeout_s: float,
        idle_timeout_s: float,
        handshake_timeout_s: float = 0.0,
        limits: Callable[[], ServerLimits] = ServerLimits,
        turns: Turns | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.answer = answer
        self.reject = reject
        self.head_timeout_s = head_timeout_s
        self.idle_timeout_s = idle_timeout_s
        self.handshake_timeout_s = handshake_timeout_s
        self.connections: set[ClientConnection] = set()
        self.heads = HeadCache(parse_request_head)
        self.cork = CorkedWrites(self.loop)
        self.turns = turns or Turns(self.loop)
        self.hangups = HangUps(self.loop)
        self.quiet = QuietClients(self.loop, self.connections, self.turns)
        self.stalls = Stalls(self.loop, limits)
        self.body_memory = BodyMemory(lambda: limits().max_bodies)
        #: Accepted, not yet open. One that fails is not reported, but releases what it would have
        #: opened; under TLS a timer ends what is held nevertheless.
        self._opening: dict[weakref.ref[ClientConnection], asyncio.TimerHandle | None] = {}
        self.closing = False
        #: The replies to so many of the next requests end their connections: see `arrivals`.
        self.surplus = 0
        #: Called when there is one connection more or less; None: they are not counted.
        self.counted: Callable[[], None] | None = None
        self._emptied: asyncio.Future[None] | None = None
        self._rested: asyncio.Future[None] | None = None

    @property
    def client_count(self) -> int:
        """The number of clients that are connected or about to be."""
        return len(self.connections) + len(self._opening)

    def __call__(self) -> ClientConnection:
        connection, timer = ClientConnection(self), None
        opening = weakref.ref(connection, self._drop_opening)
        if self.handshake_timeout_s:
            timer = self.loop.call_later(self.handshake_timeout_s, self._drop_opening, opening)
        self._opening[opening] = timer
        if self.counted is not None:
            self.counted()
        return connection

    def admit(self, connection: ClientConnection) -> None:
        """Add a connection that is open now."""
        self.connections.add(connection)
        self.quiet.expect(connection)
        timer = self._opening.pop(weakref.ref(connection), None)
        if timer is not None:
            timer.cancel()

    def close_idle(self) -> None:
        """Close connections that carry no request and have not for a while; for others the current
        request is the last, and they close after its answer."""
        self.closing = True
        self.idle_timeout_s = min(self.idle_timeout_s, _LAST_REQUEST_WAIT_S)
        self._finish(deque(self.connections))

    def _finish(self, connections: deque[ClientConnection]) -> None:
        """Close some of them now, and the rest in turns: streams may run beside thousands."""
        for _ in range(min(len(connections), _FINISHED_PER_TURN)):
            connections.popleft().finish_soon()
        if connections:
            self.turns.add(partial(self._finish, connections))

    async def wait_empty(self) -> None:
        """Wait until no connection is open or about to be."""
        while self.connections or self._opening:
            if self._emptied is None or self._emptied.done():
                self._emptied = self.loop.create_future()
            await self._emptied

    def forget(self, connection: ClientConnection) -> None:
        self.connections.discard(connection)
        self._count_less()

    def _drop_opening(self, opening: weakref.ref[ClientConnection]) -> None:
        """Remove a connection that will not open."""
        timer = self._opening.pop(opening, None)
        if timer is not None:
            timer.cancel()
        self._count_less()

    def _count_less(self) -> None:
        if self.counted is not None:
            self.counted()
        if self.connections or self._opening:
            return
        if self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def note_rest(self) -> None:
        """Called when a connection has no running answer any more."""
        if self._rested is not None and not self._rested.done():
            self._rested.set_result(None)

    async def close(self, grace_s: float) -> None:
        """Cancel running answers and close everything; ``grace_s``: how long what has been
        written may still be sent."""
        self.closing = True
        for timer in self._opening.values():
            if timer is not None:
                timer.cancel()
        self._opening.clear()
        # Those whose relay has just been cut end without a cancel.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for connection in list(self.connections):
            if connection.fiber is not None:
                connection.fiber.cancel()
        while any(connection.fiber is not None for connection in self.connections):
            self._rested = self.loop.create_future()
            await self._rested
        for connection in list(self.connections):
            connection.client.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self.wait_empty()
        for connection in list(self.connections):
            connection.client.abort()
        self.stalls.stop()
        self.hangups.stop()
        self.quiet.stop()
