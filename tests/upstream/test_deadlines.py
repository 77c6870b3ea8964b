"""One timer for many deadlines, none missed and none too early."""

from __future__ import annotations

import asyncio
import socket

import pytest

from casedesk_proxy.fastpath.fibers import OneShot
from casedesk_proxy.upstream.deadlines import Deadlines
from tests.fixtures.clock import Clock
from tests.fixtures.stalls import stall


async def test_each_at_its_time_whatever_the_order() -> None:
    loop, clock = asyncio.get_running_loop(), Clock()
    deadlines = Deadlines(clock.loop)
    waiting = {seconds: OneShot[None](loop) for seconds in (6.0, 2.0, 4.0, 2.0 + 1e-9)}
    for seconds, one_shot in waiting.items():
        deadlines.add(one_shot, seconds)
    for now, left in ((1.99, 4), (2.01, 2), (3.99, 2), (4.0, 1), (5.99, 1), (6.0, 0)):
        clock.jump(now)
        assert sorted(waiting)[4 - left :] == [
            seconds for seconds in sorted(waiting) if not waiting[seconds].done
        ]
    for one_shot in waiting.values():
        with pytest.raises(TimeoutError):
            await one_shot


async def test_what_is_discarded_or_done_is_left_alone() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop)
    discarded, done, late = (OneShot[int](loop) for _ in range(3))
    deadlines.add(discarded, 0.01)
    deadlines.add(done, 0.01)
    deadlines.add(late, 0.02)
    deadlines.discard(discarded)
    done.set(1)
    with pytest.raises(TimeoutError):
        await late
    assert not discarded.done
    assert await done == 1


async def test_no_limit_costs_nothing() -> None:
    loop = asyncio.get_running_loop()
    deadlines, one_shot = Deadlines(loop), OneShot[int](loop)
    deadlines.add(one_shot, float("inf"))
    deadlines.discard(one_shot)
    one_shot.set(1)
    assert await one_shot == 1


async def test_a_stall_of_ours_fails_nobody_who_was_answered_meanwhile() -> None:
    """Timers run before reads."""
    loop = asyncio.get_running_loop()
    deadlines, one_shot = Deadlines(loop), OneShot[int](loop)
    deadlines.add(one_shot, 0.05)
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        loop.add_reader(near, lambda: one_shot.done or one_shot.set(len(near.recv(9))))
        await stall(0.3, lambda: far.send(b"here"))
        assert await one_shot == 4
        loop.remove_reader(near)


async def test_nor_does_it_keep_anybody_who_was_not() -> None:
    loop = asyncio.get_running_loop()
    deadlines, one_shot = Deadlines(loop), OneShot[int](loop)
    deadlines.add(one_shot, 0.05)
    await stall(0.3, lambda: None)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait(one_shot), 10)


async def wait(one_shot: OneShot[int]) -> int:
    return await one_shot
