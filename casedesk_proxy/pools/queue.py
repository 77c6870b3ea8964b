"""A queue for slots, in an order that is fair between keys.

Round robin over keys, first come first served within each. The guarantee: while a key has an item
waiting that a free slot could serve, no other key gets two such slots before it gets one. So with T
keys waiting, a key's first item waits for at most T - 1 others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["FairQueue"]

T = TypeVar("T")


class FairQueue(Generic[T]):
    """A queue that serves its keys in turn. No two items may be equal. Adding and removing take
    O(1)."""

    __slots__ = ("_lanes", "_size")

    def __init__(self) -> None:
        #: In the order in which keys are served; no lane is empty.
        self._lanes: dict[str, dict[T, None]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[T]:
        for lane in self._lanes.values():
            yield from lane

    def order(self) -> Iterator[T]:
        """The order in which items would be served if every slot could serve each."""
        lanes = [iter(lane) for lane in self._lanes.values()]
        while lanes:
            going = []
            for lane in lanes:
                for item in lane:
                    yield item
                    going.append(lane)
                    break
            lanes = going

    def add(self, key: str, item: T) -> None:
        self._lanes.setdefault(key, {})[item] = None
        self._size += 1

    def put_first(self, key: str, item: T) -> None:
        """The item becomes the next of its key, and its key the next."""
        self._lanes = {key: {item: None, **self._lanes.pop(key, {})}, **self._lanes}
        self._size += 1

    @property
    def keys(self) -> int:
        """How many keys have waiting items."""
        return len(self._lanes)

    def remove(self, key: str, item: T) -> bool:
        """Remove the item unserved; returns whether it was here. Its key keeps its turn while it
        has others."""
        lane = self._lanes.get(key)
        if lane is None or item not in lane:
            return False
        del lane[item]
        self._size -= 1
        if not lane:
            del self._lanes[key]
        return True

    def take(self, serves: Callable[[T], bool]) -> T | None:
        """Remove and return the first item in fair order that ``serves`` agrees to serve now. Its
        key goes to the end; keys that were passed over, since the slot does not suit them, do
        not."""
        for key, lane in self._lanes.items():
            for item in lane:
                if serves(item):
                    self.remove(key, item)
                    if lane:
                        self._lanes[key] = self._lanes.pop(key)
                    return item
        return None

    def evict_for(self, key: str) -> T | None:
        """Remove and return the item that makes room in a full queue for an item of ``key``: the
        latest of the key with the most waiting items, if that key would still not have fewer. None:
        the new item is rejected."""
        longest = max(self._lanes, key=lambda one: len(self._lanes[one]), default=None)
        if longest is None:
            return None
        if len(self._lanes[longest]) <= len(self._lanes.get(key, ())) + 1:
            return None
        item = next(reversed(self._lanes[longest]))
        self.remove(longest, item)
        return item
