"""Clients in a crowd that have nothing to say for now, watched apart from the event loop's own.

An event loop hands on all that its kernel has before anything else gets its turn. Where thousands
of clients leave at one moment, that is one round of a quarter of a second, in which no stream goes
on. So where clients are many, those that wait for their answer, read it or are idle are not
watched by the loop but by an epoll instance of our own, which is asked for so many of them a round.
Who says something, or leaves, is read by the loop again from the next round on.

Only those that the loop reads are looked at: merely to pass by 9 000 others is a cache miss each.
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

#: Connections that are no crowd yet: the loop reads them in a few milliseconds.
_MIN_CLIENTS = 256
#: Seconds between two looks for who is quiet.
_LOOK_S = 1.0
#: Clients that are read again in one round: to let one go takes some 60 µs, its share of closing
#: included.
_WOKEN_PER_ROUND = 40
#: Connections that are looked at, and watched apart, in one turn.
_SEEN_PER_TURN = 64
_EVENTS = select.EPOLLIN | select.EPOLLRDHUP
#: A loop's own descriptors are among the first of a process.
_LOOPS_FIRST_COUNT = 256


class _Client(Protocol):
    @property
    def has_left(self) -> bool: ...

    def stand_by(self) -> int:
        """Be read no more. The descriptor that is watched until `QuietClients.forget`, of which
        the loop reads and writes nothing; -1: it must be read."""

    def wake(self) -> None:
        """It says something, or leaves."""


class _Connection(Protocol):
    @property
    def client(self) -> _Client: ...

    def is_quiet(self) -> bool:
        """Whether all that has come is dealt with, or waits for its answer."""


class QuietClients:
    """``connections``: all that are open. ``look_s``: seconds between two looks at them, once there
    are ``crowd``; ``loops_first``: the loop's own epoll instance is one of so many descriptors."""

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
        #: The event loop's own, where that is known.
        self._loops_epoll: select.epoll | None = None
        self._watched: dict[int, _Connection] = {}
        #: While there is a crowd: those that the loop reads, and some that have left since.
        self._read: deque[_Connection] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._watched)

    def expect(self, connection: _Connection) -> None:
        """One more connection is open."""
        if self._timer is not None:
            self._read.append(connection)
        elif len(self._connections) >= self._crowd:
            self._read = deque(self._connections)
            self._arm()

    def forget(self, number: int) -> None:
        """It is read again; or it is about to be closed, and others may have its descriptor."""
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
            # By the next look the loop watches it.
            self._epoll = select.epoll()
            self._loop.add_reader(self._epoll.fileno(), self._wake_some)
        else:
            if self._loops_epoll is None:
                self._loops_epoll = _find_epoll(self._epoll.fileno(), self._loops_first)
            self._look_at(len(self._read))

    def _look_at(self, count: int) -> None:
        """So many of those that are read: some now, and the rest in turns."""
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
            # libuv leaves what it reads no more where it is until it can be read, and removes it
            # then: all of a crowd that leaves in one round again.
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
    """The event loop's epoll, which watches the descriptor ``watched``, by a descriptor of its own;
    None where it is not among the ``first`` descriptors. Any other epoll refuses to modify it."""
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
