"""A request whose body is not held, but goes to its node as it comes from its client.

What has gone is gone: nobody else can have such a request once more of it than its beginning has
been sent. Its connection is a fresh one, as none that was used before can be trusted to be open.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["NodeSink", "Upload"]


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
        """Send what is behind the beginning. ``within``: seconds in which the node has to go on
        taking, and, once it has all, to answer."""

    async def wait(self) -> None:
        """Until the node has all of it, or has gone. Raises what keeps the client from it."""

    def stop(self) -> None:
        """No more of it is taken, nor sent."""

    def pause(self) -> None:
        """The node takes no more for now."""

    def resume(self) -> None: ...

    def lose(self) -> None:
        """The node has gone."""
