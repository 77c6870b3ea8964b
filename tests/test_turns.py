"""Work in turns: how much of it is done in a round of the loop, and in which order."""

from __future__ import annotations

import asyncio
import time

from casedesk_proxy.turns import Turns, in_turns
from tests.fixtures.loop_turns import most_per_turn


class Bench:
    """Turns in a running loop, and the work that was done in them."""

    def __init__(self, budget_s: float) -> None:
        self.turns = Turns(asyncio.get_running_loop(), budget_s=budget_s)
        self.done: list[str] = []

    def work(self, name: str) -> None:
        self.done.append(name)

    def add(self, name: str) -> None:
        self.turns.add(lambda: self.work(name))

    def defer(self, name: str) -> bool:
        return self.turns.defer(lambda: self.work(name))


async def test_all_that_waits_has_a_part_of_each_turn_only() -> None:
    turns, done = Turns(asyncio.get_running_loop()), 0

    def work() -> None:
        nonlocal done
        done += 1
        until = time.perf_counter() + 0.001
        while time.perf_counter() < until:
            pass

    for _ in range(30):
        turns.add(work)
    assert done == 0
    assert await most_per_turn(lambda: done, lambda: done == 30) <= 3


async def test_what_fails_in_its_turn_stops_no_other() -> None:
    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    turns, done = Turns(loop), asyncio.Event()
    turns.add(lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    turns.add(done.set)
    await done.wait()
    assert len(told) == 1


async def test_a_parting_is_done_at_once_where_none_waits() -> None:
    bench = Bench(budget_s=60)
    assert bench.defer("first")
    assert bench.defer("second")
    assert bench.done == ["first", "second"]
    await asyncio.sleep(0)
    bench.defer("third")
    assert bench.done == ["first", "second", "third"]


async def test_partings_beyond_a_round_s_share_wait_in_their_order() -> None:
    bench = Bench(budget_s=0)
    for number in range(20):
        assert not bench.defer(str(number))
    assert bench.done == []
    assert await most_per_turn(lambda: len(bench.done), lambda: len(bench.done) == 20) == 1
    assert bench.done == [str(number) for number in range(20)]


async def test_what_goes_on_is_done_before_partings_and_does_not_stop_them() -> None:
    bench = Bench(budget_s=0)
    for number in range(5):
        bench.defer(f"parting {number}")
    for number in range(5):
        bench.add(f"request {number}")
    while len(bench.done) < 10:
        await asyncio.sleep(0)
    assert bench.done == [
        f"{kind} {number}" for number in range(5) for kind in ("request", "parting")
    ]


async def test_a_parting_that_fails_is_told_and_counts() -> None:
    loop = asyncio.get_running_loop()
    turns = Turns(loop, budget_s=60)
    try:
        turns.defer(lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    except ZeroDivisionError:
        pass
    else:
        raise AssertionError("whoever parts hears of it")
    done: list[int] = []
    turns.defer(lambda: done.append(1))
    assert done == [1]


async def test_a_task_goes_through_many_in_turns() -> None:
    done: list[int] = []

    async def go_through() -> None:
        async for number in in_turns(range(10), 3):
            done.append(number)

    task = asyncio.ensure_future(go_through())
    assert await most_per_turn(lambda: len(done), task.done) == 3
    assert done == list(range(10))
