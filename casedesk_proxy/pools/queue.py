"""Who waits for a slot, in an order that is fair between keys.

Round robin over keys, first come first served within each. The promise: while a key has an
item waiting that a free slot could serve, no other key gets two such slots before it does. So
with T keys waiting, an item that is its key's first waits for at most T - 1 others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["FairQueue"]

T = TypeVar("T")


class FairQueue(Generic[T]):
    """A queue that serves its keys in turn. No two items may be equal. O(1) to add and remove."""

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
        """In the order in which they would be served, could every slot serve each."""
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
        """The item is the next of its key, and its key the next."""
        self._lanes = {key: {item: None, **self._lanes.pop(key, {})}, **self._lanes}
        self._size += 1

    @property
    def keys(self) -> int:
        """How many keys have something waiting."""
        return len(self._lanes)

    def remove(self, key: str, item: T) -> bool:
        """The item leaves unserved, if it is here, which is returned; its key keeps its turn as
        long as it has others."""
        lane = self._lanes.get(key)
        if lane is None or item not in lane:
            return False
        del lane[item]
        self._size -= 1
        if not lane:
            del self._lanes[key]
        return True

    def take(self, serves: Callable[[T], bool]) -> T | None:
        """The first item in fair order that ``serves`` agrees to serve now, taken out. Its key
        goes to the end; keys that were passed over, for want of the right slot, do not."""
        for key, lane in self._lanes.items():
            for item in lane:
                if serves(item):
                    self.remove(key, item)
                    if lane:
                        self._lanes[key] = self._lanes.pop(key)
                    return item
        return None

    def evict_for(self, key: str) -> T | None:
        """Who makes room in a full queue for an item of ``key``: the latest of the key that
        has most waiting, taken out, provided that key would still not have fewer. None: nobody,
        the newcomer has to go."""
        longest = max(self._lanes, key=lambda one: len(self._lanes[one]), default=None)
        if longest is None:
            return None
        if len(self._lanes[longest]) <= len(self._lanes.get(key, ())) + 1:
            return None
        item = next(reversed(self._lanes[longest]))
        self.remove(longest, item)
        return item
