"""Room for the bodies of all requests together."""

from __future__ import annotations

from collections.abc import Callable

from casedesk_proxy.errors import Busy

__all__ = ["Room"]

#: Seconds after which a client that found no room may come again.
_FULL_RETRY_AFTER_S = 5.0


class Room:
    """``held`` bytes of ``most``, which the configuration in force says. Whoever takes some gives
    them back."""

    __slots__ = ("_most", "held")

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self.held = 0

    def has(self, size: int) -> bool:
        """Whether so many more find room."""
        return self.held + size <= self._most()

    def take(self, size: int) -> None:
        """Raises Busy (503), with nothing taken, where they are too many."""
        self.check(size)
        self.held += size

    def check(self, size: int) -> None:
        """Raises Busy (503) where so many more would be too many now."""
        if not self.has(size):
            raise _full()

    def give(self, size: int) -> None:
        self.held -= size


def _full() -> Busy:
    return Busy(
        "the bodies of received and waiting requests fill the memory allowed for them"
        " (server.max_bodies); send this one again in a few seconds",
        status=503,
        code="bodies_full",
        retry_after=_FULL_RETRY_AFTER_S,
    )
