"""When nodes are to be looked at out of turn: soon after a use, and not too often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["LookSchedule"]


class LookSchedule:
    """``look`` is called with the name of a node that is due."""

    def __init__(self, loop: asyncio.AbstractEventLoop, look: Callable[[str], None]) -> None:
        self._loop = loop
        self._look = look
        self._looked_at: dict[str, float] = {}
        self._due: dict[str, tuple[float, asyncio.TimerHandle]] = {}

    def __contains__(self, name: str) -> bool:
        """Whether it is due already."""
        return name in self._due

    def was_looked_at(self, name: str) -> bool:
        """Once at least, to the end, whatever came of it."""
        return name in self._looked_at

    def note(self, name: str) -> None:
        """It has been looked at."""
        self._looked_at[name] = self._loop.time()

    def forget(self, name: str) -> None:
        self._looked_at.pop(name, None)

    def put(self, name: str, pause: float) -> None:
        """Once, ``pause`` seconds after the last look, or now."""
        when = max(self._loop.time(), self._looked_at.get(name, 0.0) + pause)
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
