"""What flows between a node and a client, as the client's connection and `Watch` see it: a reply
(`relay`), or a WebSocket conversation (`tunnel`)."""

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
        """Whether it runs and nothing of it has been sent."""

    @property
    def events(self) -> int:
        """How many pieces have arrived."""

    @property
    def sent(self) -> int:
        """How many bytes have been sent to the client."""

    def pause(self) -> None:
        """Pause it: the client's buffer is full."""

    def resume(self) -> None: ...

    def leave(self, terminal: Terminal) -> None:
        """End it: the client has left, or reads no more."""

    def cut(self, terminal: Terminal, error: ProxyError) -> None:
        """Stop it while the client still listens."""

    def conclude(self) -> None:
        """End it if only the node's end of message is missing."""

    def keep_alive(self) -> None: ...

    def fail(self) -> None:
        """End it after an internal error, which is being handled now."""
