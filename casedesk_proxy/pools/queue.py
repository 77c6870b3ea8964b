"""Who waits for a slot, in an order that is fair between tokens.

Round robin over tokens, first come first served within each. The promise: while a token has an
item waiting that a free slot could serve, no other token gets two such slots before it does. So
with T tokens waiting, an item that is its token's first waits for at most T - 1 others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["FairQueue"]

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Items are told apart by identity of hash, so each must be its own. O(1) to add and remove."""

    __slots__ = ("_lanes", "_size")

    def __init__(self) -> None:
        #: In the order in which tokens are served; no lane is empty.
        self._lanes: dict[str, dict[T, None]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[T]:
        for lane in self._lanes.values():
            yield from lane

    def add(self, token: str, item: T) -> None:
        self._lanes.setdefault(token, {})[item] = None
        self._size += 1

    def remove(self, token: str, item: T) -> None:
        """The item leaves unserved, if it is here; its token keeps its turn as long as it has
        others."""
        lane = self._lanes.get(token)
        if lane is None or item not in lane:
            return
        del lane[item]
        self._size -= 1
        if not lane:
            del self._lanes[token]

    def take(self, serves: Callable[[T], bool]) -> T | None:
        """The first item in fair order that ``serves`` agrees to serve now, taken out. Its token
        goes to the end; tokens that were passed over, for want of the right slot, do not."""
        for token, lane in self._lanes.items():
            for item in lane:
                if serves(item):
                    self.remove(token, item)
                    if lane:
                        self._lanes[token] = self._lanes.pop(token)
                    return item
        return None

    def evict_for(self, token: str) -> T | None:
        """Who makes room in a full queue for an item of ``token``: the latest of the token that
        has most waiting, taken out, provided that token would still not have fewer. None: nobody,
        the newcomer has to go."""
        longest = max(self._lanes, key=lambda one: len(self._lanes[one]), default=None)
        if longest is None:
            return None
        if len(self._lanes[longest]) <= len(self._lanes.get(token, ())) + 1:
            return None
        item = next(reversed(self._lanes[longest]))
        self.remove(longest, item)
        return item
