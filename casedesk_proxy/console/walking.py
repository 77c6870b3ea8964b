"""Walks over all that runs without delaying other work: one slice at a time, and with a pause
between two walks, so that walks take no more than a share of a core however often they are
requested."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Walker"]

#: Items that are examined before other work runs: some 0.2 ms.
_MAX_SLICE_ITEMS = 100


class Walker:
    """``share``: the most of a core that walks may use."""

    def __init__(self, share: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._share = share
        self._clock = clock
        self._rests_until = float("-inf")

    @property
    def rest_s(self) -> float:
        """Seconds until the next walk may begin; 0: now."""
        return max(self._rests_until - self._clock(), 0.0)

    async def walk(self, things: Sequence[Any], look: Callable[[Sequence[Any]], None]) -> None:
        """``look`` gets the items in slices."""
        spent = 0.0
        for first in range(0, len(things), _MAX_SLICE_ITEMS):
            begun = self._clock()
            look(things[first : first + _MAX_SLICE_ITEMS])
            spent += self._clock() - begun
            await asyncio.sleep(0)
        self._rests_until = self._clock() + spent / self._share
