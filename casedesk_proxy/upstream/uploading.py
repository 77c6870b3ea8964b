"""A request whose body is not held, but passes to its node while it arrives from its client.

Bytes that were sent are gone: once more than the beginning has been sent, no other node can get the
request. The connection is always a new one, since a used connection may already be closed.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["NodeSink", "StayingUpload", "Upload"]


class NodeSink(Protocol):
    """The connection that receives a body."""

    upload: Upload | None

    def send_more(self, data: bytes) -> None: ...

    def expect(self, within_s: float) -> None: ...

    def fail(self, error: Exception) -> None: ...


class Upload(Protocol):
    """``is_begun``: more than the beginning of the body has been given to a node, or is about to
    be; ``is_done``: all of it has."""

    is_begun: bool
    is_done: bool

    def begin(self, node: NodeSink, within_s: float) -> None:
        """Send the body after its beginning. The node must accept the next bytes ``within_s`` and,
        after the last, answer in the same time."""

    async def wait(self) -> None:
        """Wait until the node has the whole body, or has gone. Raises the error that keeps the
        client from sending it."""

    def stop(self) -> None:
        """Accept and send no more of the body."""

    def pause(self) -> None:
        """The node accepts no more for now."""

    def resume(self) -> None: ...

    def lose(self) -> None:
        """The node has gone."""


class StayingUpload(Upload):
    """The common part of all uploads whose body remains here, so that another node can get it too.
    A node that accepts nothing for ``within_s`` is given up. Serves one attempt at one
    node."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._node: NodeSink | None = None
        self._within_s = float("inf")
        self._timer: asyncio.TimerHandle | None = None
        self.is_begun = False
        self.is_done = False

    def begin(self, node: NodeSink, within_s: float) -> None:
        self.is_begun = True
        self._node, self._within_s = node, within_s
        node.upload = self

    def stop(self) -> None:
        self._stop_timer()
        node, self._node = self._node, None
        if node is not None:
            node.upload = None

    def pause(self) -> None:
        if self._within_s != float("inf") and self._node is not None and self._timer is None:
            self._timer = self._loop.call_later(self._within_s, self._give_up, self._node)

    def resume(self) -> None:
        self._stop_timer()

    def lose(self) -> None:
        self.stop()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self, node: NodeSink) -> None:
        self.stop()
        node.fail(TimeoutError())
