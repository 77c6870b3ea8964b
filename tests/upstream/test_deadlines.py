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
    for seconds, signal in waiting.items():
        deadlines.add(signal, seconds)
    for now, left in ((1.99, 4), (2.01, 2), (3.99, 2), (4.0, 1), (5.99, 1), (6.0, 0)):
        clock.jump(now)
        assert sorted(waiting)[4 - left :] == [
            seconds for seconds in sorted(waiting) if not waiting[seconds].done
        ]
    for signal in waiting.values():
        with pytest.raises(TimeoutError):
            await signal


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
    deadlines, signal = Deadlines(loop), OneShot[int](loop)
    deadlines.add(signal, float("inf"))
    deadlines.discard(signal)
    signal.set(1)
    assert await signal == 1


async def test_a_stall_of_ours_fails_nobody_who_was_answered_meanwhile() -> None:
    """Timers run before reads."""
    loop = asyncio.get_running_loop()
    deadlines, signal = Deadlines(loop), OneShot[int](loop)
    deadlines.add(signal, 0.05)
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        loop.add_reader(near, lambda: signal.done or signal.set(len(near.recv(9))))
        await stall(0.3, lambda: far.send(b"here"))
        assert await signal == 4
        loop.remove_reader(near)


async def test_nor_does_it_keep_anybody_who_was_not() -> None:
    loop = asyncio.get_running_loop()
    deadlines, signal = Deadlines(loop), OneShot[int](loop)
    deadlines.add(signal, 0.05)
    await stall(0.3, lambda: None)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait(signal), 10)


async def wait(signal: OneShot[int]) -> int:
    return await signal
