"""Which instance gets the next slot if several instances have requests that wait for it.

Each instance serves its own waiting requests round robin over keys. Between instances the same
holds by weight: an instance has a virtual time, which advances by 1 / keys with each slot that it
takes while others wait; the instance with the earliest time is next. So each key that waits at one
instance gets as many slots as any other; a key that waits at two gets two shares.

No instance waits for another that does not take its turn, because it is busy or has stopped: after
``_GRACE_S`` any instance may take the slot.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["HostTurns"]

#: Several times what an instance needs to notice that a slot is free.
_GRACE_S = 0.05


class HostTurns:
    """The turns of one instance. Times of others are in their rows: equal times are ordered by
    row."""

    def __init__(self, row: int, *, grace_s: float = _GRACE_S) -> None:
        self._row = row
        self._grace_s = grace_s
        #: Our virtual time. Never 0, which would mean that no request waits.
        self.time = 1.0
        #: By node: since when it has had room that another instance should take.
        self._owed_since: dict[str, float] = {}

    def join(self, others: Sequence[tuple[float, int]]) -> None:
        """A request waits here, and none did before: it has no claim to slots from before."""
        self.time = max(self.time, min((time for time, _ in others), default=self.time))

    def count(self, keys: int) -> None:
        """We took a slot while other instances waited for one; so many keys wait here."""
        self.time += 1 / max(keys, 1)

    def forget(self) -> None:
        """No request waits at another instance any more."""
        self._owed_since.clear()

    def is_owed(
        self, node: str, others: Sequence[tuple[float, int]], now: float, *, waits: bool, room: bool
    ) -> bool:
        """Whether a node's next slot is another instance's. ``others``: the instances that wait for
        one there; ``waits``: whether a request here does; ``room``: whether it has a slot now."""
        if not others:
            self._owed_since.pop(node, None)
            return False
        first = min(others)
        ours = self.time if waits else max(self.time, first[0])
        if (ours, self._row) < first:
            self._owed_since.pop(node, None)
            return False
        if not room:
            self._owed_since.pop(node, None)
            return True
        return now < self._owed_since.setdefault(node, now) + self._grace_s
