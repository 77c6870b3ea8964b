"""Who has to do with a request: its client, what its exchange holds, and where its body goes."""

from __future__ import annotations

import asyncio
from typing import Protocol

from casedesk_proxy.errors import ProxyError
from casedesk_proxy.relay.flow import Flow

__all__ = ["Client", "Held", "Sink"]


class Client(Protocol):
    """Where a request came from; it left at ``gone_at`` by time.perf_counter. ``relay`` is the
    relay that feels its backpressure, ``peer`` the address at the other end. Its transport is its
    own: others write by its methods, and a relay is lent it for a whole reply."""

    peer: str
    relay: Flow | None
    gone_at: float | None

    @property
    def has_left(self) -> bool:
        """Whether its connection has ended."""

    @property
    def is_open(self) -> bool:
        """Whether what is written now may still reach it."""

    def lend(self) -> asyncio.Transport | None:
        """What a relay writes to; None once the client has left."""

    def write(self, message: bytes) -> None:
        """Nothing where it has left."""

    def reset(self) -> None:
        """End the connection so that nothing of a reply looks whole."""

    def write_whole(self, message: bytes) -> None:
        """The whole of an answer; what is said to others may go before it."""

    def listen(self) -> None:
        """More of the request is wanted."""

    def take_over(self, reader: asyncio.Protocol) -> asyncio.Transport | None:
        """Let ``reader`` have what it says from now on; returns what to write to, None once the
        client has left."""

    def give_back(self) -> None:
        """Nobody else reads it any more."""

    def hold(self, hold: bool) -> None:
        """Read no more from it for now, or read on."""

    def stop(self) -> None:
        """End what answers it now, as if it had left; the answering side reports the reason."""

    def watch_stall(self) -> None:
        """It must continue to read what was written; otherwise its connection is closed."""


class Held(Protocol):
    """Something that an exchange must not keep, however it ends."""

    def abandon(self) -> None:
        """Let go of it, if that is yet to be done."""


class Sink(Protocol):
    """Where the rest of a body goes as it comes. Only ``wake`` may resume somebody."""

    @property
    def wants(self) -> bool:
        """Whether it takes more now."""

    def take(self, payload: bytes) -> None: ...

    def finish(self) -> None:
        """The body has ended."""

    def wake(self, fault: ProxyError | None) -> None:
        """What there was has been given; ``fault``: no more can come."""
