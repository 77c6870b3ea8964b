"""The garbage collector examines young objects, and all others only while there is no traffic."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from casedesk_proxy.daemon.garbage import GarbageCollector, is_due


class Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def passes() -> Iterator[list[int]]:
    """The generations that the collector has examined."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            seen.append(info["generation"])

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


@pytest.fixture(autouse=True, scope="module")
def _what_was_frozen_is_again() -> Iterator[None]:
    """Freeze all objects again that were imported to collect tests: otherwise the next tests would
    search them for garbage."""
    yield
    gc.freeze()


@pytest.mark.parametrize(
    ("grown", "streams", "due"),
    [
        (0, 0, False), (50_000, 0, False), (200_000, 0, True), (200_000, 1, False),
        (2_500_000, 9000, False), (3_200_000, 9000, False), (3_300_000, 9000, True),
        (1_100_000, 1, True),
    ],
)  # fmt: skip
def test_when_everything_is_looked_at(grown: int, streams: int, due: bool) -> None:
    assert is_due(grown, streams) is due


async def test_what_lives_is_looked_at_once(passes: list[int]) -> None:
    thresholds = gc.get_threshold()
    collector = GarbageCollector(asyncio.get_running_loop(), lambda: 1)
    collector.start()
    try:
        passes.clear()
        cycle = weakref.ref(Cycle())
        kept = [[] for _ in range(30_000)]
        assert len(passes) >= 10
        assert set(passes) == {0}
        assert cycle() is None
        assert not gc.get_objects(generation=1)
        assert len(kept) == 30_000
    finally:
        collector.stop()
    assert gc.get_threshold() == thresholds
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize(("streams", "logged"), [(0, False), (1, True)])
async def test_old_cycles_go_with_the_next_whole_pass(
    streams: int, logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    collector = GarbageCollector(asyncio.get_running_loop(), lambda: streams, period_s=0.001)
    collector.start()
    try:
        cycle = Cycle()
        found = weakref.ref(cycle)
        gc.freeze()
        del cycle
        assert found() is not None
        kept = [object() for _ in range(1_400_000 if streams else 200_000)]
        while found() is not None:
            await asyncio.sleep(0.001)
        assert ("garbage collection took" in caplog.text) is logged
        assert kept
    finally:
        collector.stop()
