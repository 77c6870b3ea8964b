"""The time by which the event loop runs callbacks too late."""

from __future__ import annotations

import asyncio
import time

from casedesk_proxy.telemetry.loop_lag import LoopLagMonitor


async def test_a_loop_that_is_busy_is_late() -> None:
    seen: list[float] = []
    measured = asyncio.Event()

    def observe(delay: float) -> None:
        seen.append(delay)
        measured.set()

    monitor = LoopLagMonitor(asyncio.get_running_loop(), observe)
    monitor.start()
    _be_busy(0.8)
    await measured.wait()
    monitor.stop()
    assert seen[0] >= 0.2


def _be_busy(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
