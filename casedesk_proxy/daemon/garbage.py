"""When Python collects garbage, so that no stream waits for it.

An exchange leaves no cycles behind (`tests/server/test_cycles.py`), so the collector finds nothing;
but its passes over older objects stop every stream: 335 ms while 9 000 clients arrived. Here it
examines each object once, while it is young, some thousands at a time, and then freezes what it has
examined. Cycles that are lost later wait for a full pass, which is made when no stream runs, or
when memory has grown by more than the streams explain.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import time
from collections.abc import Callable

__all__ = ["GarbageCollector"]

log = logging.getLogger(__name__)

#: After so many new objects the young ones are examined, which takes half a millisecond.
_MAX_YOUNG_COUNT = 2000
#: No automatic pass over older objects: all of them are frozen.
_NEVER_TIMES = 1_000_000
_LOOK_PERIOD_S = 60.0
#: Blocks of memory, of some 80 bytes each: after so many more than at the last full pass the next
#: one is made, if no stream runs and if streams run.
_GROWN_AT_REST_COUNT, _GROWN_BUSY_COUNT = 100_000, 1_000_000
#: Blocks that a stream holds.
_BLOCKS_PER_STREAM = 250


def is_due(grown: int, streams: int) -> bool:
    """Whether a full pass is due, which takes some 0.1 s, and more with many streams. ``grown``:
    new blocks of memory since the last one."""
    if not streams:
        return grown > _GROWN_AT_REST_COUNT
    return grown > _GROWN_BUSY_COUNT + streams * _BLOCKS_PER_STREAM


class GarbageCollector:
    """Python's collector, one for the process. ``count_streams`` returns how many streams would
    wait."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        count_streams: Callable[[], int],
        *,
        period_s: float = _LOOK_PERIOD_S,
    ) -> None:
        self._loop = loop
        self._count_streams = count_streams
        self._period_s = period_s
        self._thresholds = gc.get_threshold()
        self._timer: asyncio.TimerHandle | None = None
        self._blocks = 0

    def start(self) -> None:
        """Objects from start-up live forever, and are frozen first."""
        gc.set_threshold(_MAX_YOUNG_COUNT, _NEVER_TIMES, _NEVER_TIMES)
        gc.callbacks.append(self._note)
        self._collect()
        self._timer = self._loop.call_later(self._period_s, self._look)

    def stop(self) -> None:
        """Restore the collector's settings."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.callbacks.remove(self._note)
            gc.set_threshold(*self._thresholds)
            gc.unfreeze()

    def _note(self, phase: str, _: dict[str, int]) -> None:
        if phase == "stop":
            gc.freeze()  # Lists are joined, whatever their lengths are.

    def _look(self) -> None:
        streams = self._count_streams()
        if is_due(sys.getallocatedblocks() - self._blocks, streams):
            began = time.perf_counter()
            gc.unfreeze()
            self._collect()
            if streams:
                spent = (time.perf_counter() - began) * 1e3
                log.info(
                    "Python's garbage collection took %.0f ms, because memory had grown", spent
                )
        self._timer = self._loop.call_later(self._period_s, self._look)

    def _collect(self) -> None:
        gc.collect()
        self._blocks = sys.getallocatedblocks()
