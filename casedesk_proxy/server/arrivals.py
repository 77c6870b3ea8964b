"""Clients that connect, spread over the instances of a host that have the same listening socket.

The kernel wakes all instances, and the first one accepts the client: mostly the same instance if
there is little to do. So an instance whose connections exceed those of another one by a margin
stops accepting until the other has caught up. The event loop accepts as usual, so an instance that
is alone has no additional work.

Clients do not wait for an instance that does not accept, for example because it is busy or has
stopped: if clients wait in the socket at two checks in a row, and no other instance has accepted
one in between, the instance that notices it accepts again.

But all clients that wait in the socket are accepted in one round. So on a busy machine, or before
another instance starts, one instance may have many more clients than another for as long as they
keep their connections. Then the replies to the next requests of the surplus connections end the
connection, and these clients connect again at the other instance.

Only instances with the same sockets matter to each other: no client of one can go to another that
shares its slots but has an address of its own, for example behind nginx.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from typing import Protocol

from casedesk_proxy.server.listeners import Listeners
from casedesk_proxy.server.public import PublicServer

__all__ = ["Arrivals", "find_surplus", "is_ahead"]

#: How many connections an instance may have more than another: at least, and as a share (one of so
#: many).
_MIN_MARGIN_TIMES, _MARGIN_SHARE = 2, 32
#: Seconds between two checks of an instance that does not accept.
_LOOK_S = 0.005
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
    """The table of `instances.table.HostTable`."""

    @property
    def others(self) -> tuple[int, ...]: ...

    def column(self, name: str) -> int | None: ...

    def publish(self, column: int, count: int) -> int: ...

    def counts(self, column: int) -> dict[int, int]: ...


def is_ahead(ours: int, others: Iterable[int]) -> bool:
    """Whether another instance should accept the next client, by the number of connections of
    each."""
    fewest = min(others, default=None)
    return fewest is not None and ours >= fewest + max(_MIN_MARGIN_TIMES, fewest // _MARGIN_SHARE)


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
        self._timer: asyncio.TimerHandle | None = None
        self._resuming: asyncio.Task[None] | None = None
        #: What the others had at the last check, if clients waited in the socket then.
        self._waited_at: list[int] | None = None
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
        surplus = 0
        if self._loop.time() >= self._free_until + _DISTRUST_S:
            surplus = find_surplus(len(self._public.connections), self._read_others())
        self._public.surplus = surplus
        self._balancing = self._loop.call_later(self._balance_s, self._balance)

    def _count(self, connections: int) -> None:
        """Publish that so many are open."""
        assert self._table is not None
        assert self._columns is not None
        self._table.publish(self._columns[1], connections)
        if self._timer is not None or not self._table.others:
            return
        if self._is_ahead() and self._loop.time() >= self._free_until:
            self._listeners.pause()
            self._waited_at = None
            self._timer = self._loop.call_later(self._look_s, self._look)

    def _is_ahead(self) -> bool:
        return is_ahead(len(self._public.connections), self._read_others())

    def _read_others(self) -> list[int]:
        """The number of connections of each other instance that accepts."""
        assert self._table is not None
        assert self._columns is not None
        accepting, counts = (self._table.counts(column) for column in self._columns)
        return [counts[row] for row, is_open in accepting.items() if is_open]

    def _look(self) -> None:
        waited_at, waits_at = self._waited_at, None
        if self._listeners.have_pending:
            waits_at = self._read_others()
        self._waited_at = waits_at
        if waits_at is not None and waits_at == waited_at:
            self._free_until = self._loop.time() + _FREE_S
        elif self._is_ahead():
            self._timer = self._loop.call_later(self._look_s, self._look)
            return
        self._timer = None
        self._resuming = self._loop.create_task(self._listeners.resume(), name="arrivals")
