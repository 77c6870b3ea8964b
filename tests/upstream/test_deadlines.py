"""One timer for many deadlines, none missed and none too early."""

from __future__ import annotations

import asyncio
import socket

import pytest

from casedesk_proxy.fastpath.fibers import Signal
from casedesk_proxy.upstream.deadlines import Deadlines
from tests.fixtures.stalls import stall


async def test_each_at_its_time_whatever_the_order() -> None:
    loop = asyncio.get_running_loop()
    deadlines, began = Deadlines(loop), loop.time()
    ended: dict[float, float] = {}

    async def wait(seconds: float) -> None:
        signal: Signal[None] = Signal(loop)
        deadlines.add(signal, seconds)
        with pytest.raises(TimeoutError):
            await signal
        ended[seconds] = loop.time() - began

    await asyncio.gather(*(wait(seconds) for seconds in (0.06, 0.02, 0.04, 0.02 + 1e-9)))
    assert sorted(ended, key=lambda seconds: ended[seconds])[-1] == 0.06
    assert all(passed >= seconds - 0.002 for seconds, passed in ended.items())


async def test_what_is_discarded_or_done_is_left_alone() -> None:
    loop = asyncio.get_running_loop()
    deadlines = Deadlines(loop)
    discarded, done, late = (Signal[int](loop) for _ in range(3))
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
    deadlines, signal = Deadlines(loop), Signal[int](loop)
    deadlines.add(signal, float("inf"))
    deadlines.discard(signal)
    signal.set(1)
    assert await signal == 1


async def test_a_stall_of_ours_fails_nobody_who_was_answered_meanwhile() -> None:
    """Timers run before reads."""
    loop = asyncio.get_running_loop()
    deadlines, signal = Deadlines(loop), Signal[int](loop)
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
    deadlines, signal = Deadlines(loop), Signal[int](loop)
    deadlines.add(signal, 0.05)
    await stall(0.3, lambda: None)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait(signal), 10)


async def wait(signal: Signal[int]) -> int:
    return await signal
