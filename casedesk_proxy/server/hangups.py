"""Detects clients that are gone for good, among those that have closed their sending side.

A FIN means that no more will arrive, not whether the other side still reads: a client that has
closed and one that has only shut down its sending side look alike, until the kernel of the former
answers something that we send with a reset. An event loop that has read the FIN waits for nothing
more, and would only notice with its second next write.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import Callable

__all__ = ["HangUps"]

#: Milliseconds after which unacknowledged bytes count as a hang-up: for a client whose machine or
#: firewall does not answer.
_UNACKNOWLEDGED_MS = 30_000


class HangUps:
    """Calls back once a connection is closed in both directions, within microseconds."""

    __slots__ = ("_epoll", "_loop", "_watched")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll: select.epoll | None = None
        self._watched: dict[int, Callable[[], None]] = {}

    def watch(self, sock: socket.socket, hung_up: Callable[[], None]) -> int:
        """Returns the argument for `forget`."""
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
        if self._epoll is None:
            self._epoll = select.epoll()
            self._loop.add_reader(self._epoll.fileno(), self._look)
        number = sock.fileno()
        # No event is requested: epoll always reports hang-ups and errors.
        self._epoll.register(number, 0)
        self._watched[number] = hung_up
        return number

    def forget(self, number: int) -> None:
        if self._watched.pop(number, None) is not None and self._epoll is not None:
            # Closed descriptors are removed automatically.
            with contextlib.suppress(OSError):
                self._epoll.unregister(number)

    def stop(self) -> None:
        if self._epoll is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None
        self._watched.clear()

    def _look(self) -> None:
        if self._epoll is None:
            return
        for number, _ in self._epoll.poll(0):
            hung_up = self._watched.get(number)
            self.forget(number)
            if hung_up is not None:
                hung_up()
