"""The memory limit for the bodies of all requests together."""

from __future__ import annotations

from collections.abc import Callable

from casedesk_proxy.relay.body_faults import no_room

__all__ = ["BodyMemory"]


class BodyMemory:
    """``used`` bytes of ``most``, which the active configuration sets. Code that reserves some must
    release them."""

    __slots__ = ("_most", "used")

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self.used = 0

    def has(self, size: int) -> bool:
        """Whether so many more are free."""
        return self.used + size <= self._most()

    def check(self, size: int) -> None:
        """Raises Busy (503) if so many more are not free now."""
        if not self.has(size):
            raise no_room()

    def reserve(self, size: int) -> None:
        """Raises Busy (503), reserving nothing, if so many more are not free."""
        self.check(size)
        self.used += size

    def release(self, size: int) -> None:
        self.used -= size
