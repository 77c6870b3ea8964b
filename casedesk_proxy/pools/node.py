"""A node's live state, kept by name across reloads.

Three words with three meanings: a node is *healthy* when nothing speaks against it, *full* when
it has as many streams as it may hold, and *available* when it is healthy and not full. Choosing
asks only the last.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COOL_DOWN", "NodeState"]

#: Seconds for which a node that refused a connection is left alone while others are available.
COOL_DOWN = 2.0


@dataclass(slots=True)
class NodeState:
    """Live facts about one node. ``limit`` is None where nothing bounds its streams."""

    name: str
    limit: int | None = None
    weight: int = 1
    in_flight: int = 0
    failed_until: float = 0.0
    last_error: str = ""
    served: int = 0

    def is_healthy(self, now: float) -> bool:
        return now >= self.failed_until

    def is_full(self) -> bool:
        return self.limit is not None and self.in_flight >= self.limit

    def is_available(self, now: float) -> bool:
        return self.is_healthy(now) and not self.is_full()

    def begin(self) -> None:
        self.in_flight += 1
        self.served += 1

    def end(self) -> None:
        assert self.in_flight > 0, "a node's exchange ended twice"
        self.in_flight -= 1

    def fail(self, now: float, error: str) -> None:
        """A connection was refused or broke before a reply; leave the node alone for a while."""
        self.failed_until = now + COOL_DOWN
        self.last_error = error

    def recover(self) -> None:
        self.failed_until = 0.0
