"""Watches the quiet clients of a crowd with an epoll instance of its own, not with the event loop.

An event loop handles all events that its kernel has before any other code runs. If thousands of
clients leave at one moment, that is one round of a quarter of a second, in which no stream
continues. So if there are many clients, those that wait for their answer, read it or are idle are
watched by a separate epoll instance, from which only some events are read in each round. A client
that sends something, or leaves, is read by the loop again from the next round.

A search only examines the connections that the loop reads: to pass over 9 000 others costs a cache
miss for each.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
from collections import deque
from collections.abc import Collection
from functools import partial
from typing import Protocol

from casedesk_proxy.turns import Turns

__all__ = ["QuietClients"]

#: So many connections are not a crowd: the loop reads them in a few milliseconds.
_MIN_CLIENTS = 256
#: Seconds between two searches for quiet clients.
_LOOK_S = 1.0
#: Clients that are read again in one round: closing one takes some 60 µs in all.
_WOKEN_PER_ROUND = 40
#: Connections that are examined, and watched apart, in one round.
_SEEN_PER_TURN = 64
_EVENTS = select.EPOLLIN | select.EPOLLRDHUP
#: A loop's own descriptors are among the first of a process.
_LOOPS_FIRST_COUNT = 256


class _Client(Protocol):
    @property
    def has_left(self) -> bool: ...

    def stand_by(self) -> int:
        """Stop reading. Returns the descriptor that is watched until `QuietClients.forget`, and
        that the loop neither reads nor writes; -1: the client must be read."""

    def wake(self) -> None:
        """Read it again: it has sent something, or has left."""


class _Connection(Protocol):
    @property
    def client(self) -> _Client: ...

    def is_quiet(self) -> bool:
        """Whether all that has arrived is handled, or waits for its answer."""


class QuietClients:
    """``connections``: all that are open. ``look_s``: seconds between two searches, once there are
    ``crowd``; ``loops_first``: the loop's own epoll instance is one of so many descriptors."""

    __slots__ = (
        "_connections", "_crowd", "_epoll", "_look_s", "_loop", "_loops_epoll", "_loops_first",
        "_read", "_timer", "_turns", "_watched",
    )  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connections: Collection[_Connection],
        turns: Turns,
        *,
        crowd: int = _MIN_CLIENTS,
        look_s: float = _LOOK_S,
        loops_first: int = _LOOPS_FIRST_COUNT,
    ) -> None:
        self._loop = loop
        self._connections = connections
        self._turns = turns
        self._crowd = crowd
        self._look_s = look_s
        self._loops_first = loops_first
        self._epoll: select.epoll | None = None
        #: The event loop's own, if it is known.
        self._loops_epoll: select.epoll | None = None
        self._watched: dict[int, _Connection] = {}
        #: While there is a crowd: connections that the loop reads, and some that have closed since.
        self._read: deque[_Connection] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._watched)

    def expect(self, connection: _Connection) -> None:
        """Begin to look for quiet clients if this connection makes a crowd."""
        if self._timer is not None:
            self._read.append(connection)
        elif len(self._connections) >= self._crowd:
            self._read = deque(self._connections)
            self._arm()

    def forget(self, number: int) -> None:
        """Stop watching it: it is read again, or is about to be closed, and its descriptor may be
        used for another connection."""
        connection = self._watched.pop(number, None)
        if connection is None or self._epoll is None:
            return
        with contextlib.suppress(OSError):
            self._epoll.unregister(number)
        if self._timer is not None and not connection.client.has_left:
            self._read.append(connection)

    def _arm(self) -> None:
        self._timer = self._loop.call_later(self._look_s, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._epoll is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None
        if self._loops_epoll is not None:
            self._loops_epoll.close()
            self._loops_epoll = None
        self._watched.clear()
        self._read.clear()

    def _look(self) -> None:
        self._timer = None
        if len(self._connections) < self._crowd:
            self._read.clear()
            return
        self._arm()
        if self._epoll is None:
            # The loop watches it before the next search.
            self._epoll = select.epoll()
            self._loop.add_reader(self._epoll.fileno(), self._wake_some)
        else:
            if self._loops_epoll is None:
                self._loops_epoll = _find_epoll(self._epoll.fileno(), self._loops_first)
            self._look_at(len(self._read))

    def _look_at(self, count: int) -> None:
        """Examine ``count`` connections that are read: some now, the rest in turns."""
        for _ in range(min(count, len(self._read), _SEEN_PER_TURN)):
            connection = self._read.popleft()
            client = connection.client
            number = client.stand_by() if connection.is_quiet() else -1
            if number >= 0:
                self._watch(number, connection)
            elif not client.has_left:
                self._read.append(connection)
        if count > _SEEN_PER_TURN:
            self._turns.add(partial(self._look_at, count - _SEEN_PER_TURN))

    def _watch(self, number: int, connection: _Connection) -> None:
        assert self._epoll is not None, "who is looked at may be watched"
        if self._loops_epoll is not None:
            # libuv keeps a descriptor that it no longer reads until data arrives there, and only
            # then removes it: if a crowd leaves, that is again one long round.
            with contextlib.suppress(OSError):
                self._loops_epoll.unregister(number)
        self._epoll.register(number, _EVENTS)
        self._watched[number] = connection

    def _wake_some(self) -> None:
        assert self._epoll is not None, "it is not watched any more"
        for number, _ in self._epoll.poll(0, _WOKEN_PER_ROUND):
            if (connection := self._watched.get(number)) is not None:
                connection.client.wake()


def _find_epoll(watched: int, first: int) -> select.epoll | None:
    """The event loop's epoll instance, which watches the descriptor ``watched``, by a descriptor of
    its own; None if it is not among the ``first`` descriptors. Any other epoll instance refuses to
    modify it."""
    for number in range(first):
        with contextlib.suppress(OSError):
            epoll = select.epoll.fromfd(os.dup(number))
            try:
                epoll.modify(watched, select.EPOLLIN)
            except OSError:
                epoll.close()
            else:
                return epoll
    return None
