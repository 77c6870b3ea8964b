"""The one rule of all caches of this package."""

from __future__ import annotations

from typing import Self, TypeVar

__all__ = ["Memory"]

K = TypeVar("K")
V = TypeVar("V")


class Memory(dict[K, V]):
    """Remembers what was worked out of a key, which is compared by value.

    At most ``bound`` entries: the oldest goes first, used or not. Nothing expires by time. A bound
    of 0 remembers nothing: the cache is turned off.

    What entries depend on beside their key, such as the configuration, are the memory's facts.
    They are replaced and never changed, so that they are compared by identity: `under` others
    nothing is remembered any more.
    """

    __slots__ = ("_bound", "_facts")

    def __init__(self, bound: int) -> None:
        super().__init__()
        self._bound = bound
        self._facts: tuple[object, object, object] = (None, None, None)

    def under(self, fact: object, other: object, third: object = None) -> Self:
        """Itself, emptied unless these are the facts of the last time."""
        known, known_other, known_third = self._facts
        if fact is not known or other is not known_other or third is not known_third:
            self.clear()
            self._facts = fact, other, third
        return self

    def remember(self, key: K, value: V) -> None:
        if len(self) >= self._bound and key not in self:
            if not self._bound:
                return
            del self[next(iter(self))]
        self[key] = value

    def __repr__(self) -> str:
        # Heads have credentials.
        return f"<{type(self).__name__} of {len(self)}>"
