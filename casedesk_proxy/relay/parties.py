"""The parties of a request: its client, what its exchange holds, and the destination of its
body."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.relay.flow import Flow

__all__ = ["Client", "Discarded", "Held", "Sink"]


class Client(Protocol):
    """The sender of a request; it left at ``gone_at`` by time.perf_counter. ``relay`` is the relay
    that gets its backpressure, ``peer`` the remote address. Its transport is private: other code
    writes with these methods, and a relay borrows it for a whole reply."""

    peer: str
    relay: Flow | None
    gone_at: float | None

    @property
    def has_left(self) -> bool:
        """Whether its connection has ended."""

    @property
    def is_open(self) -> bool:
        """Whether a write may still reach the client."""

    def flushed_transport(self) -> asyncio.Transport | None:
        """The transport for a relay; None if the client has left."""

    def write(self, message: bytes) -> None:
        """Does nothing if the client has left."""

    def reset(self) -> None:
        """End the connection so that no part of a reply looks complete."""

    def write_whole(self, message: bytes) -> None:
        """Write a whole reply; replies to other clients may be written before it."""

    def read_more(self) -> None:
        """Read more of the request."""

    def take_over(self, reader: asyncio.Protocol) -> asyncio.Transport | None:
        """Let ``reader`` read the client from now on; returns the transport to write to, None if
        the client has left."""

    def give_back(self) -> None:
        """End the takeover."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...

    def cancel_answer(self) -> None:
        """Cancel the task that answers, as if the client had left; the exchange reports the
        reason."""

    def watch_stall(self) -> None:
        """Close the connection if the client stops reading what was written."""


class Held(Protocol):
    """Something that must not outlive an exchange, however it ends."""

    def abandon(self) -> None:
        """Let go of it, if that was not done yet."""


class Sink(Protocol):
    """Where the rest of a body goes as it arrives. Only ``wake`` may resume a waiting task."""

    @property
    def wants(self) -> bool:
        """Whether it accepts more now."""

    def take(self, payload: bytes) -> None: ...

    def finish(self) -> None:
        """The body has ended."""

    def wake(self, fault: ProxyError | None) -> None:
        """Called when all that arrived has been passed on. ``fault``: why no more can arrive."""


class Discarded:
    """The sink of a body that is dropped; ``ended`` is called at its end."""

    __slots__ = ("_ended",)

    wants = True

    def __init__(self, ended: Callable[[], None]) -> None:
        self._ended = ended

    def take(self, payload: bytes) -> None:
        """Drops it."""

    def finish(self) -> None:
        self._ended()

    def wake(self, fault: ProxyError | None) -> None:
        """Nothing waits for this."""
