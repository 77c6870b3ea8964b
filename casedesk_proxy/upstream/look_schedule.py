"""When nodes are asked outside of the regular rounds: soon after a use, and not too often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["LookSchedule"]


class LookSchedule:
    """``look`` is called with the name of each node that is due."""

    def __init__(self, loop: asyncio.AbstractEventLoop, look: Callable[[str], None]) -> None:
        self._loop = loop
        self._look = look
        self._looked_at: dict[str, float] = {}
        self._due: dict[str, tuple[float, asyncio.TimerHandle]] = {}

    def __contains__(self, name: str) -> bool:
        """Whether the node is already scheduled."""
        return name in self._due

    def was_looked_at(self, name: str) -> bool:
        """Whether the node was asked at least once and the attempt ended, whatever the result."""
        return name in self._looked_at

    def note(self, name: str) -> None:
        """Note that the node has been asked."""
        self._looked_at[name] = self._loop.time()

    def forget(self, name: str) -> None:
        self._looked_at.pop(name, None)

    def put(self, name: str, pause_s: float) -> None:
        """Schedule the node once, ``pause_s`` after it was last asked, or now."""
        when = max(self._loop.time(), self._looked_at.get(name, 0.0) + pause_s)
        known = self._due.get(name)
        if known is not None:
            if known[0] <= when:
                return
            known[1].cancel()
        self._due[name] = when, self._loop.call_at(when, self._begin, name)

    def close(self) -> None:
        for _, timer in self._due.values():
            timer.cancel()

    def _begin(self, name: str) -> None:
        del self._due[name]
        self._look(name)
