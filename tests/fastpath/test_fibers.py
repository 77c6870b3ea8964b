"""Fibers continue at once when a one-shot is set, and behave as tasks do with futures."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

import pytest

from casedesk_proxy.fastpath.fibers import Fiber, OneShot, make_run
from casedesk_proxy.fastpath.switches import Trick, turn_off


class Run:
    """A fiber and its result."""

    def __init__(self, work: Coroutine[Any, None, None]) -> None:
        self.ends = 0
        self.fiber = Fiber(asyncio.get_running_loop(), work, self._finished)
        self.fiber.start()

    def _finished(self, result: Any) -> None:
        self.ends += 1
        self.result = result


async def test_what_never_waits_is_over_at_once() -> None:
    seen = []

    async def work() -> None:
        seen.append("ran")

    run = Run(work())
    assert (seen, run.ends, run.fiber.ended) == (["ran"], 1, True)


async def test_what_it_returns_is_told_at_its_end_and_nothing_where_it_has_none() -> None:
    loop, told = asyncio.get_running_loop(), []

    async def work(one_shot: OneShot[int]) -> int:
        return await one_shot + 1

    for end in ("set", "cancel"):
        one_shot: OneShot[int] = OneShot(loop)
        fiber = Fiber(loop, work(one_shot), told.append)
        fiber.start()
        if end == "set":
            one_shot.set(4)
        else:
            fiber.cancel()
    assert told == [5, None]


async def test_a_signal_resumes_within_set() -> None:
    one_shot: OneShot[int] = OneShot(asyncio.get_running_loop())
    seen = []

    async def work() -> None:
        seen.append(await one_shot)

    run = Run(work())
    assert (seen, run.ends) == ([], 0)
    one_shot.set(5)
    assert (seen, run.ends) == ([5], 1)


async def test_a_failed_signal_raises_where_it_is_awaited() -> None:
    one_shot: OneShot[int] = OneShot(asyncio.get_running_loop())
    seen = []

    async def work() -> None:
        try:
            await one_shot
        except TimeoutError:
            seen.append("late")

    Run(work())
    one_shot.fail(TimeoutError())
    assert seen == ["late"]


async def test_a_value_that_came_first_is_kept_and_two_are_an_error() -> None:
    one_shot: OneShot[str] = OneShot(asyncio.get_running_loop())
    one_shot.set("a")
    assert await one_shot == "a"
    with pytest.raises(AssertionError):
        one_shot.set("b")


async def test_an_ordinary_task_may_await_a_signal_and_be_cancelled() -> None:
    loop = asyncio.get_running_loop()
    one_shot: OneShot[int] = OneShot(loop)

    async def wait() -> int:
        return await one_shot

    task = loop.create_task(wait())
    await asyncio.sleep(0)
    one_shot.set(3)
    assert await task == 3
    left: OneShot[int] = OneShot(loop)

    async def wait_in_vain() -> int:
        return await left

    gone = loop.create_task(wait_in_vain())
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    left.set(1)


async def test_cancelling_at_a_signal_is_immediate() -> None:
    one_shot: OneShot[int] = OneShot(asyncio.get_running_loop())
    seen = []

    async def work() -> None:
        try:
            await one_shot
        finally:
            seen.append("closed")

    run = Run(work())
    run.fiber.cancel()
    assert (seen, run.ends) == (["closed"], 1)
    one_shot.set(1)  # Nobody waits any more.
    run.fiber.cancel()
    assert run.ends == 1


async def test_cancelling_at_a_task_cancels_the_task_first() -> None:
    loop = asyncio.get_running_loop()
    seen = []

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("slow")

    async def work() -> None:
        try:
            await loop.create_task(slow())
        finally:
            seen.append("work")

    run = Run(work())
    await asyncio.sleep(0)
    run.fiber.cancel()
    assert run.ends == 0
    for _ in range(3):
        await asyncio.sleep(0)
    assert (seen, run.ends) == (["slow", "work"], 1)


async def test_cancelling_while_it_runs_ends_its_next_wait() -> None:
    one_shot: OneShot[int] = OneShot(asyncio.get_running_loop())
    seen = []
    runs: list[Run] = []

    async def work() -> None:
        await asyncio.sleep(0)
        runs[0].fiber.cancel()
        seen.append("goes on")
        try:
            await one_shot
        finally:
            seen.append("ended")

    runs.append(Run(work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (seen, runs[0].ends) == (["goes on", "ended"], 1)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_cancelling_beside_a_bare_yield(when: str) -> None:
    seen = []

    async def work() -> None:
        await asyncio.sleep(0)
        seen.append("woke")
        await asyncio.sleep(0)
        seen.append("again")

    run = Run(work())
    if when == "after":
        await asyncio.sleep(0)
    run.fiber.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert run.ends == 1
    assert seen == ([] if when == "before" else ["woke"])


async def test_a_cancel_that_is_withstood_leaves_the_fiber_running() -> None:
    loop = asyncio.get_running_loop()
    first: OneShot[int] = OneShot(loop)
    second: OneShot[int] = OneShot(loop)
    seen = []

    async def work() -> None:
        try:
            await first
        except asyncio.CancelledError:
            seen.append("no")
        seen.append(str(await second))

    run = Run(work())
    run.fiber.cancel()
    assert run.ends == 0
    second.set(2)
    assert (seen, run.ends) == (["no", "2"], 1)


async def test_fibers_within_fibers() -> None:
    loop = asyncio.get_running_loop()
    inner: OneShot[int] = OneShot(loop)
    outer: OneShot[int] = OneShot(loop)
    seen = []

    async def wait_for(one_shot: OneShot[int]) -> None:
        seen.append(await one_shot)

    async def work() -> None:
        Run(wait_for(inner))
        inner.set(1)
        seen.append(await outer)

    Run(work())
    outer.set(2)
    assert seen == [1, 2]


async def test_an_error_is_told_to_the_loop() -> None:
    loop = asyncio.get_running_loop()
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))

    async def work() -> None:
        raise ValueError("bug")

    run = Run(work())
    assert run.ends == 1
    assert isinstance(told[0]["exception"], ValueError)


def eager(work: Coroutine[Any, None, Any]) -> asyncio.Task[Any]:
    """A task that begins immediately, if this Python has such tasks."""
    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 12):
        return asyncio.Task(work, loop=loop, eager_start=True)
    return loop.create_task(work)


async def test_a_task_within_a_fiber_s_step_waits_for_itself() -> None:
    loop = asyncio.get_running_loop()
    its: OneShot[int] = OneShot(loop)
    mine: OneShot[int] = OneShot(loop)
    seen = []
    tasks = []

    async def wait() -> None:
        seen.append(("task", await its))

    async def work() -> None:
        tasks.append(eager(wait()))
        seen.append(("fiber", await mine))

    run = Run(work())
    await asyncio.sleep(0)
    its.set(1)
    assert (seen, run.ends) == ([], 0), "a task goes on in the loop's next round"
    mine.set(2)
    assert (seen, run.ends) == ([("fiber", 2)], 1)
    await tasks[0]
    assert seen == [("fiber", 2), ("task", 1)]


async def test_a_fiber_within_a_task_s_step_waits_for_itself() -> None:
    loop = asyncio.get_running_loop()
    its: OneShot[int] = OneShot(loop)
    mine: OneShot[int] = OneShot(loop)
    seen = []

    async def work() -> None:
        seen.append(("fiber", await its))

    async def wait() -> None:
        Run(work())
        seen.append(("task", await mine))

    task = eager(wait())
    await asyncio.sleep(0)
    its.set(1)
    assert seen == [("fiber", 1)]
    mine.set(2)
    await task
    assert seen == [("fiber", 1), ("task", 2)]


async def test_a_task_that_is_cancelled_at_a_signal_can_withstand_it() -> None:
    loop = asyncio.get_running_loop()
    first: OneShot[int] = OneShot(loop)
    second: OneShot[int] = OneShot(loop)
    seen: list[object] = []

    async def wait() -> None:
        try:
            await first
        except asyncio.CancelledError:
            seen.append("no")
        seen.append(await second)

    task = loop.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    first.set(1)
    second.set(2)
    await task
    assert seen == ["no", 2]


async def test_a_task_that_is_cancelled_as_its_signal_is_set_has_the_cancelling() -> None:
    loop = asyncio.get_running_loop()
    one_shot: OneShot[int] = OneShot(loop)

    async def wait() -> int:
        return await one_shot

    task = loop.create_task(wait())
    await asyncio.sleep(0)
    one_shot.set(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_s_error_comes_from_its_signal() -> None:
    loop = asyncio.get_running_loop()
    one_shot: OneShot[int] = OneShot(loop)

    async def wait() -> int:
        return await one_shot

    task = loop.create_task(wait())
    await asyncio.sleep(0)
    one_shot.fail(TimeoutError())
    with pytest.raises(TimeoutError):
        await task


class Plain:
    """The result of `make_run` if fibers are turned off."""

    def __init__(self, work: Coroutine[Any, None, Any]) -> None:
        self.results: list[Any] = []
        before = turn_off([Trick.FIBERS])
        try:
            self.run = make_run(asyncio.get_running_loop(), work, self.results.append)
        finally:
            turn_off(before)
        assert not isinstance(self.run, Fiber)
        self.run.start()

    async def ended(self) -> Any:
        while not self.results:
            await asyncio.sleep(0)
        (result,) = self.results
        return result


async def test_a_task_in_a_fiber_s_place_tells_its_result() -> None:
    one_shot: OneShot[int] = OneShot(asyncio.get_running_loop())

    async def work() -> int:
        return await one_shot + 1

    plain = Plain(work())
    await asyncio.sleep(0)
    one_shot.set(4)
    assert await plain.ended() == 5


@pytest.mark.parametrize("rounds", [0, 1, 2])
async def test_a_task_in_a_fiber_s_place_is_cancelled_where_it_waits_and_not_before(
    rounds: int,
) -> None:
    one_shot: OneShot[int] = OneShot(asyncio.get_running_loop())
    seen = []

    async def work() -> None:
        seen.append("began")
        try:
            await one_shot
        finally:
            seen.append("ended")

    plain = Plain(work())
    for _ in range(rounds):
        await asyncio.sleep(0)
    plain.run.cancel()
    assert await plain.ended() is None
    plain.run.cancel()
    assert seen == ["began", "ended"]


async def test_an_error_of_a_task_in_a_fiber_s_place_is_told_to_the_loop() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    async def work() -> None:
        raise ValueError("bug")

    assert await Plain(work()).ended() is None
    assert isinstance(told[0]["exception"], ValueError)
