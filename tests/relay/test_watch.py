"""Thousands of running replies are checked, a few at a time, and none is left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, cast

import pytest

from casedesk_proxy.relay.flow import Flow
from casedesk_proxy.relay.watch import Watch
from casedesk_proxy.replying.record import Terminal
from tests.fixtures.loop_turns import most_per_turn


class SilentFlow:
    """A flow in which nothing moves. ``kept`` counts the keepalives; ``then`` is called at each."""

    paused_at: float | None = None
    terminal: Terminal | None = None

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.events, self.sent, self.kept, self.failed = 3, 50, 0, 0
        self._then = then

    def conclude(self) -> None: ...

    def keep_alive(self) -> None:
        self.kept += 1
        self._then()

    def fail(self) -> None:
        self.failed += 1


def watched(watch: Watch, count: int, **more: Any) -> list[SilentFlow]:
    flows = [SilentFlow(**more) for _ in range(count)]
    for flow in flows:
        watch.add(cast(Flow, flow), 60.0, 60.0, keepalive_after_s=0.001)
    return flows


async def test_a_look_at_thousands_takes_many_turns() -> None:
    watch = Watch(asyncio.get_running_loop())
    flows = watched(watch, 1000)

    def kept() -> int:
        return sum(flow.kept for flow in flows)

    assert await most_per_turn(kept, lambda: all(flow.kept for flow in flows)) <= 250
    again = kept()
    while kept() < again + len(flows):
        await asyncio.sleep(0.005)
    assert count(watch) == (3000, 50_000)
    assert len(watch) == len(watch.relays) == 1000


def count(watch: Watch) -> tuple[int, int]:
    counting = watch.count_passed()
    while True:
        try:
            next(counting)
        except StopIteration as ended:
            return cast(tuple[int, int], ended.value)


async def test_what_passed_is_counted_in_turns_and_without_those_that_end_meanwhile() -> None:
    watch = Watch(asyncio.get_running_loop())
    first, *others, last = watched(watch, 1000)
    counting = watch.count_passed()
    next(counting)
    for one in (first, others[0], last):
        watch.discard(cast(Flow, one))
    watched(watch, 1)
    assert sum(1 for _ in counting) == 3, "a turn for each 250"
    assert count(watch) == (3 * 998, 50 * 998)
    counting = watch.count_passed()
    next(counting)
    watch.discard(cast(Flow, others[1]))
    counting.close()
    assert not watch._counts, "nobody asks any more"


async def test_a_count_leaves_out_what_ends_before_it_is_told() -> None:
    watch = Watch(asyncio.get_running_loop())
    flows = watched(watch, 500)

    def end_some() -> Generator[None, None, tuple[int, int]]:
        counting = watch.count_passed()
        next(counting)
        for one in flows[:10] + flows[-10:]:
            watch.discard(cast(Flow, one))
        return (yield from counting)

    with pytest.raises(StopIteration) as told:
        next(counts := end_some())
        next(counts)
    assert told.value.value == (3 * 480, 50 * 480)


async def test_one_that_ends_meanwhile_is_not_looked_at_and_one_that_comes_is() -> None:
    watch = Watch(asyncio.get_running_loop())
    late: list[SilentFlow] = []

    def change() -> None:
        if not late:
            watch.discard(cast(Flow, flows[-1]))
            late.extend(watched(watch, 1))

    flows = watched(watch, 600, then=change)
    while not (late and late[0].kept):
        await asyncio.sleep(0.005)
    assert flows[-1].kept == 0
    assert all(flow.kept for flow in flows[:-1])


async def test_one_that_fails_is_no_reason_to_look_at_no_other() -> None:
    watch = Watch(asyncio.get_running_loop())
    (first,) = watched(watch, 1, then=lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    (second,) = watched(watch, 1)
    while not second.kept:
        await asyncio.sleep(0.005)
    assert first.failed


async def test_all_may_end_while_the_first_is_looked_at() -> None:
    watch, flows = Watch(asyncio.get_running_loop()), list[SilentFlow]()

    def end() -> None:
        for flow in flows:
            watch.discard(cast(Flow, flow))

    flows += watched(watch, 300, then=end)
    while len(watch):
        await asyncio.sleep(0.001)
    assert [flow.kept for flow in flows] == [1] + [0] * 299
    assert not any(flow.failed for flow in flows)
    (other,) = watched(watch, 1)
    while not other.kept:
        await asyncio.sleep(0.001)
