"""The memory limit for the bodies of all requests together."""

from __future__ import annotations

from collections.abc import Callable

from casedesk_proxy.relay.body_faults import no_room

__all__ = ["Room"]


class Room:
    """``held`` bytes of ``most``, which the active configuration sets. Code that takes some must
    return them."""

    __slots__ = ("_most", "held")

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self.held = 0

    def has(self, size: int) -> bool:
        """Whether there is room for so many more."""
        return self.held + size <= self._most()

    def take(self, size: int) -> None:
        """Raises Busy (503), taking nothing, if there is no room."""
        self.check(size)
        self.held += size

    def check(self, size: int) -> None:
        """Raises Busy (503) if there is no room for so many more now."""
        if not self.has(size):
            raise no_room()

    def give(self, size: int) -> None:
        self.held -= size
