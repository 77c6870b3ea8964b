"""The rule that all caches of this package follow."""

from __future__ import annotations

from typing import Self, TypeVar

__all__ = ["Memory"]

K = TypeVar("K")
V = TypeVar("V")


class Memory(dict[K, V]):
    """Remembers results by a key, which is compared by value.

    At most ``bound`` entries: the oldest is dropped first, used or not. Nothing expires by time.
    With a bound of 0 nothing is remembered: the cache is off.

    What entries depend on besides their key, such as the configuration, are the memory's facts.
    Facts are replaced and never changed, so they are compared by identity: `under` other facts the
    memory is emptied.
    """

    __slots__ = ("_bound", "_facts")

    def __init__(self, bound: int) -> None:
        super().__init__()
        self._bound = bound
        self._facts: tuple[object, object, object] = (None, None, None)

    def under(self, fact: object, other: object, third: object = None) -> Self:
        """The memory, emptied unless these are the same facts as last time."""
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
        # Heads contain credentials.
        return f"<{type(self).__name__} of {len(self)}>"
