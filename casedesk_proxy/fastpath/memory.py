"""The one rule of all caches of this package."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Memory"]

K = TypeVar("K")
V = TypeVar("V")


class Memory(dict[K, V]):
    """Remembers what was worked out of a key alone, compared by value. What else it depends on
    (a configuration, what nodes have reported) must stay the same for the memory's life: for
    other facts, take another memory.

    At most ``bound`` entries: the oldest goes first, used or not. Nothing expires by time. A
    bound of 0 remembers nothing, which is how a cache is turned off.
    """

    __slots__ = ("_bound",)

    def __init__(self, bound: int) -> None:
        super().__init__()
        self._bound = bound

    def remember(self, key: K, value: V) -> None:
        if len(self) >= self._bound and key not in self:
            if not self._bound:
                return
            del self[next(iter(self))]
        self[key] = value
