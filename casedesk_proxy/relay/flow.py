"""What flows between a node and a client, as the client's connection and `Watch` see it: a reply
(`relay`), or a conversation over a WebSocket (`tunnel`)."""

from __future__ import annotations

from typing import Protocol

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.replying.record import Terminal

__all__ = ["Flow"]


class Flow(Protocol):
    """``paused_at``: since when the client's buffer has been full; ``terminal``: None until it has
    ended."""

    paused_at: float | None
    terminal: Terminal | None

    @property
    def is_unsent(self) -> bool:
        """Whether it runs, and nothing of it has been sent."""

    @property
    def events(self) -> int:
        """Pieces that came."""

    @property
    def sent(self) -> int:
        """Bytes that went to the client."""

    def pause(self) -> None:
        """The client's buffer is full."""

    def resume(self) -> None: ...

    def leave(self, terminal: Terminal) -> None:
        """The client went, or reads no more."""

    def cut(self, terminal: Terminal, error: ProxyError) -> None:
        """Stop it while the client still listens."""

    def conclude(self) -> None:
        """End it if it is over but for the node's word."""

    def keep_alive(self) -> None: ...

    def fail(self) -> None:
        """A bug was raised and is handled now."""
