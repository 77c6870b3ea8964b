"""Clients that connect, spread over the instances of a host that have the same listening socket.

The kernel wakes all instances if a client connects, and the first one accepts it: mostly the same
instance if there is little to do. So an instance accepts at most its share: as many clients as give
all instances the same number of connections, by the table that they share and by how many clients
wait in the socket, or a few more. It leaves the others in the socket, where each instance finds
them, also if one is killed. An instance that is alone accepts as the event loop does.

Clients do not wait for an instance that does not accept, for example because it is busy or has
stopped: if clients wait at several checks in a row, and no other instance has accepted one in
between, the instance that notices it accepts them.

So on a busy machine, or before another instance starts, one instance may have many more clients
than another for as long as they keep their connections. Then the replies to the next requests of
the surplus connections end the connection, and these clients connect again at the other instance.

Only instances with the same sockets matter to each other: no client of one can go to another that
shares its slots but has an address of its own, for example behind nginx.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from typing import Protocol

from casedesk_proxy.server.listen import count_waiting
from casedesk_proxy.server.listeners import Listeners
from casedesk_proxy.server.public import PublicServer

__all__ = ["Arrivals", "count_room", "find_surplus"]

log = logging.getLogger(__name__)

#: How many connections an instance may have more than another: at least, and as a share (one of so
#: many).
_MIN_MARGIN_TIMES, _MARGIN_SHARE = 2, 32
#: Seconds between two checks of an instance that does not accept, and the checks without any sign
#: of another instance after which it does.
_LOOK_S, _LOOK_TIMES = 0.002, 8
#: Seconds for which an instance accepts without regard to the others, since they do not accept.
_FREE_S = 0.1

#: Connections above the mean of all instances that are left as they are: at least so many, and one
#: of so many.
_MIN_SURPLUS_COUNT, _SURPLUS_SHARE = 4, 8
#: Seconds between two counts of the surplus.
_BALANCE_S = 1.0
#: Seconds for which no connection is ended for the others after these have let clients wait.
_DISTRUST_S = 5.0

#: Columns of the table: what they count, and at which sockets.
_OPEN, _CONNECTIONS = "accepting at {}", "connections at {}"


class Rows(Protocol):
    """The table of `instances.table.HostTable`. ``own``: our counts, by column."""

    own: memoryview

    def column(self, name: str) -> int | None: ...

    def publish(self, column: int, count: int) -> int: ...

    def counts_where(self, chosen: int, column: int) -> list[int]: ...


def count_room(ours: int, others: Sequence[int], waiting: int) -> int:
    """How many of the clients that wait we should accept, by the number of connections of each
    instance. Below one if they are for the others."""
    fewest = min(others)
    room = fewest + max(_MIN_MARGIN_TIMES, fewest // _MARGIN_SHARE) - ours
    if room >= waiting:
        return room
    return max(room, _find_level((ours, *others), waiting) - ours)


def _find_level(counts: Sequence[int], waiting: int) -> int:
    """How many the least busy instances have once ``waiting`` more are spread over them evenly."""
    ordered, total = sorted(counts), waiting
    for number, count in enumerate(ordered):
        if number and count * number >= total:
            return -(-total // number)
        total += count
    return -(-total // len(ordered))


def find_surplus(ours: int, others: Sequence[int]) -> int:
    """How many of our connections other instances should have."""
    mean = (ours + sum(others)) // (len(others) + 1)
    surplus = ours - mean
    return surplus if surplus > max(_MIN_SURPLUS_COUNT, mean // _SURPLUS_SHARE) else 0


class Arrivals:
    """For one instance, which has ``listeners`` and ``public``. Call ``start`` once these accept
    clients, and ``stop`` before they are closed. ``table``: None if the instance shares nothing."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listeners: Listeners,
        public: PublicServer,
        table: Rows | None,
        *,
        look_s: float = _LOOK_S,
        balance_s: float = _BALANCE_S,
    ) -> None:
        self._loop = loop
        self._listeners = listeners
        self._public = public
        self._table = table
        self._look_s = look_s
        self._balance_s = balance_s
        self._balancing: asyncio.TimerHandle | None = None
        self._columns: tuple[int, int] | None = None
        #: Whether we accept by shares, None after a change of that has failed; and the change.
        self._shares: bool | None = False
        self._changing: asyncio.Task[None] | None = None
        #: Set while we do not accept; checks since another instance has done so, and what the
        #: others had then.
        self._timer: asyncio.TimerHandle | None = None
        self._looks = 0
        self._seen: list[int] = []
        self._free_until = float("-inf")

    def start(self) -> None:
        if self._table is None:
            return
        # A listening socket that several processes have is one inode.
        inodes = sorted(os.fstat(one).st_ino for one in self._listeners.descriptors)
        sockets = " ".join(map(str, inodes))
        accepting, connections = (
            self._table.column(name.format(sockets)) for name in (_OPEN, _CONNECTIONS)
        )
        # If the table has no free column, all clients are accepted.
        if accepting is not None and connections is not None:
            self._columns = accepting, connections
            self._table.publish(accepting, 1)
            self._public.counted = self._count
            self._balance()

    def stop(self) -> None:
        """Let the others accept all further clients."""
        self._public.counted = None
        self._public.surplus = 0
        for timer in (self._timer, self._balancing):
            if timer is not None:
                timer.cancel()
        self._timer = self._balancing = None
        if self._table is not None and self._columns is not None:
            self._table.publish(self._columns[0], 0)

    def _balance(self) -> None:
        self._compare()
        surplus = 0
        if self._loop.time() >= self._free_until + _DISTRUST_S:
            surplus = find_surplus(self._public.client_count, self._read_others())
        self._public.surplus = surplus
        self._balancing = self._loop.call_later(self._balance_s, self._balance)

    def _count(self) -> None:
        """There is one connection more or less."""
        assert self._table is not None
        assert self._columns is not None
        self._table.own[self._columns[1]] = self._public.client_count
        if not self._shares:
            self._compare()

    def _compare(self) -> None:
        """Accept by shares if there are other instances."""
        if self._shares is not bool(self._read_others()) and self._changing is None:
            self._changing = self._loop.create_task(self._change(), name="arrivals")

    async def _change(self) -> None:
        shares = bool(self._read_others())
        try:
            await self._listeners.open_by(self._admit if shares else None)
            self._shares = shares
        except OSError as error:
            self._shares = None
            log.error("no client is accepted for a while: %s", error.strerror)
        finally:
            self._changing = None

    def _admit(self, sock: socket.socket) -> int:
        """How many of those that wait in it to accept now."""
        waiting = count_waiting(sock)
        if not waiting:
            return 0  # another instance was faster
        others = self._read_others()
        if not others or self._loop.time() < self._free_until:
            return waiting
        room = min(count_room(self._public.client_count, others, waiting), waiting)
        if room < 1 and self._timer is None and self._balancing is not None:
            self._listeners.pause()
            self._looks, self._seen = 0, others
            self._timer = self._loop.call_later(self._look_s, self._look)
        return room

    def _read_others(self) -> list[int]:
        """The number of connections of each other instance that accepts."""
        assert self._table is not None
        assert self._columns is not None
        return self._table.counts_where(*self._columns)

    def _look(self) -> None:
        self._timer = None
        others, waiting = self._read_others(), self._listeners.count_waiting()
        if others != self._seen:
            self._looks, self._seen = 0, others
        self._looks += 1
        if waiting and others and count_room(self._public.client_count, others, waiting) < 1:
            if self._looks < _LOOK_TIMES:
                self._timer = self._loop.call_later(self._look_s, self._look)
                return
            self._free_until = self._loop.time() + _FREE_S
        self._listeners.resume()
