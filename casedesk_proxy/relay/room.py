"""Room for the bodies of all requests together."""

from __future__ import annotations

from collections.abc import Callable

from casedesk_proxy.relay.body_faults import no_room

__all__ = ["Room"]


class Room:
    """``held`` bytes of ``most``, which the configuration in force says. Code that takes some must
    give them back."""

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
            raise no_room()

    def give(self, size: int) -> None:
        self.held -= size
