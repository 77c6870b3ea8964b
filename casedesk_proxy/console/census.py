"""How many requests are at which node with which model, how many wait for it, and the rate of all
replies together.

Requests do not maintain these counts while they run: they are counted when a page needs them, and
no more often than a small share of a core allows. So with many streams the counts are some seconds
old.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from casedesk_proxy.console.walking import Walker
from casedesk_proxy.replying.record import Phase

__all__ = ["Census"]

_SHARE = 0.003
#: The shortest period in seconds for a meaningful rate.
_MIN_RATE_S = 1.0


class Census:
    """``streams`` and ``waiting`` by node and model. A waiting request counts for each node that
    could serve it; ``waiting_by_node`` for all models together. ``rate``: pieces a second since the
    last count; None: there was none. ``ended``: the pieces of replies that have ended."""

    def __init__(
        self,
        live: Callable[[], Iterable[Any]],
        ended: Callable[[], int],
        walker: Walker | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live, self._ended, self._now = live, ended, now
        self._walker = walker or Walker(_SHARE)
        #: The time of the last count, and the number of pieces then.
        self._last: tuple[float, int] | None = None
        self.rate: float | None = None
        self._turn = asyncio.Lock()
        self.streams: Counter[tuple[str, str]] = Counter()
        self.waiting: Counter[tuple[str, str]] = Counter()
        self.waiting_by_node: Counter[str] = Counter()

    async def refresh(self) -> None:
        """Count again, unless the last count is recent."""
        async with self._turn:
            if self._walker.rest_s > 0:
                return
            streams: Counter[tuple[str, str]] = Counter()
            # Requests that wait for the same nodes are one entry.
            queued: Counter[tuple[tuple[str, ...], str]] = Counter()
            pieces = self._ended()

            def look(part: Sequence[Any]) -> None:
                nonlocal pieces
                for one in part:
                    if (flow := one.flow) is not None:
                        pieces += flow.events
                    phase = one.attempts.phase
                    if phase is Phase.QUEUED and one.attempts.ticket is not None:
                        queued[one.attempts.ticket.demand.nodes, one.planned.model] += 1
                    elif one.attempts.node:
                        streams[one.attempts.node, one.planned.model] += 1

            await self._walker.walk(list(self._live()), look)
            self.streams = streams
            self._spread(queued)
            self._take_rate(pieces)

    def _take_rate(self, pieces: int) -> None:
        now = self._now()
        if self._last is None:
            self._last = now, pieces
        elif (passed := now - self._last[0]) >= _MIN_RATE_S:
            # A reply that ends while others are counted may be missed once.
            self.rate = round(max(pieces - self._last[1], 0) / passed, 1)
            self._last = now, pieces

    def _spread(self, queued: Counter[tuple[tuple[str, ...], str]]) -> None:
        self.waiting, self.waiting_by_node = Counter(), Counter()
        for (nodes, model), count in queued.items():
            for node in nodes:
                self.waiting[node, model] += count
                self.waiting_by_node[node] += count
