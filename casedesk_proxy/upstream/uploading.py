"""A request whose body is not held, but goes to its node as it comes from its client.

What has gone is gone: nobody else can have such a request once more of it than its beginning has
been sent. Its connection is a fresh one, as none that was used before can be trusted to be open.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["NodeSink", "StayingUpload", "Upload"]


class NodeSink(Protocol):
    """The connection that takes a body."""

    upload: Upload | None

    def send_more(self, data: bytes) -> None: ...

    def expect(self, within: float) -> None: ...

    def fail(self, error: Exception) -> None: ...


class Upload(Protocol):
    """``is_begun``: more than the beginning of the body has been given to a node, or is about to
    be; ``is_done``: all of it has."""

    is_begun: bool
    is_done: bool

    def begin(self, node: NodeSink, within: float) -> None:
        """Send what is behind the beginning. ``within``: seconds in which the node has to take the
        next bytes, and, once it has all, to answer."""

    async def wait(self) -> None:
        """Until the node has all of it, or has gone. Raises what keeps the client from it."""

    def stop(self) -> None:
        """No more of it is taken, nor sent."""

    def pause(self) -> None:
        """The node takes no more for now."""

    def resume(self) -> None: ...

    def lose(self) -> None:
        """The node has gone."""


class StayingUpload(Upload):
    """What all uploads have in common whose body stays here, so that another node can have it, too:
    a node that takes nothing for ``within`` seconds is given up. Serves one attempt at one node."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._node: NodeSink | None = None
        self._within = float("inf")
        self._patience: asyncio.TimerHandle | None = None
        self.is_begun = False
        self.is_done = False

    def begin(self, node: NodeSink, within: float) -> None:
        self.is_begun = True
        self._node, self._within = node, within
        node.upload = self

    def stop(self) -> None:
        self._end_patience()
        node, self._node = self._node, None
        if node is not None:
            node.upload = None

    def pause(self) -> None:
        if self._within != float("inf") and self._node is not None and self._patience is None:
            self._patience = self._loop.call_later(self._within, self._give_up, self._node)

    def resume(self) -> None:
        self._end_patience()

    def lose(self) -> None:
        self.stop()

    def _end_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self, node: NodeSink) -> None:
        self.stop()
        node.fail(TimeoutError())
