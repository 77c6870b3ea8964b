"""Real planners: their result is the plan, and one that dies is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from casedesk_proxy.errors import BadRequest, Busy, ClientFault
from casedesk_proxy.planners.held_body import HeldBody
from casedesk_proxy.planners.parent import NICE_WEIGHT
from casedesk_proxy.planners.planner import Planner
from casedesk_proxy.planners.pool import NamesFiles, Planners
from casedesk_proxy.planning.held import HeldRoute
from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.pools.response_memory import Keeper
from tests.fixtures.patience import PATIENCE_S
from tests.planners.asking import REPORTED, ask, snapshot, write

CHAT = snapshot()


def children() -> set[int]:
    """Our child processes that have not been waited for, including those that have ended."""
    found: set[int] = set()
    for ours in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):  # A thread that has ended.
            found |= {int(pid) for pid in ours.read_text().split()}
    return found


@asynccontextmanager
async def planners(most: int = 1, memory: int = 2**28, nice: int = 0) -> AsyncIterator[Planners]:
    before = children()
    # Beside 20 others a start that stands back gets its 0.4 s of CPU in half a minute (measured).
    pool = Planners(asyncio.get_running_loop(), lambda: most, lambda: memory, nice=nice)
    try:
        yield pool
    finally:
        await pool.close()
        assert children() <= before


async def plan(pool: Planners, route: str, raw: bytes) -> Plan:
    given = replace(ask(route, b""), reported=REPORTED)
    made, _ = await pool.plan(CHAT, CHAT.deployments["d"], given, HeldBody.create(raw))
    return made


async def test_plans_one_after_another() -> None:
    async with planners() as pool:
        pool.expect()
        pool.expect()
        raws = [write("gemini", "m", [f"Hi {n}"]) for n in range(5)]
        plans = await asyncio.gather(*(plan(pool, "gemini", raw) for raw in raws))
        assert len(pool.pids) == 1
        for number, made in enumerate(plans):
            route = made.routes["n"]
            assert isinstance(route, HeldRoute)
            assert route.content is not None
            assert f"Hi {number}".encode() in route.content.read(0, route.content.size)
        with pytest.raises(BadRequest, match="not valid JSON"):
            await plan(pool, "openai", b"{")
        part = b'{"type":"file","file":{"file_id":"file-1"}}'
        with pytest.raises(NamesFiles, match="1 files") as caught:
            await plan(pool, "openai", b'{"messages":[{"content":[%b]}]}' % part)
        assert [one.named for one in caught.value.references] == ["file-1"]


async def test_they_stand_back_for_the_daemon() -> None:
    async with planners(nice=NICE_WEIGHT) as pool:
        await plan(pool, "openai", write("openai", "m", ["Hi"]))
        ours, (pid,) = os.getpriority(os.PRIO_PROCESS, 0), pool.pids
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(ours + 5, 19)


async def test_none_is_started_ahead_where_none_is_wanted() -> None:
    async with planners(0) as pool:
        pool.prepare()
        pool.expect()
        assert not pool._process_tasks
        assert not pool._starting
        assert not pool.are_used


async def test_their_parent_is_there_before_they_are_wanted() -> None:
    async with planners() as pool:
        pool.prepare()
        while pool._process_tasks:
            await asyncio.sleep(0)
        assert pool._parent._process is not None
        first = pool._parent._process.pid
        assert not pool.pids
        assert (await plan(pool, "openai", write("openai", "m", ["Hi"]))).model == "m"
        pool.prepare()
        while pool._process_tasks:
            await asyncio.sleep(0)
        assert pool._parent._process.pid == first


async def test_who_waits_is_served_where_none_is_wanted_any_more() -> None:
    """A reload sets ``server.planners`` to 0 while large bodies wait: they cannot go elsewhere."""
    most = 1
    pool = Planners(asyncio.get_running_loop(), lambda: most, lambda: 2**28, nice=0)
    raw = write("openai", "m", ["Hi"])
    plans = [asyncio.ensure_future(plan(pool, "openai", raw)) for _ in range(3)]
    while not pool._planned_bytes:
        await asyncio.sleep(0)
    assert len(pool._waiting) == 2
    most = 0
    try:
        async with asyncio.timeout(PATIENCE_S):
            assert [made.model for made in await asyncio.gather(*plans)] == ["m"] * 3
        assert pool.pids == [], "the last has left"
    finally:
        await pool.close()


async def test_that_none_can_be_started_is_known_before_they_are_wanted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    async with planners() as pool:
        pool.prepare()
        while pool._process_tasks:
            await asyncio.sleep(0)
    assert "planners cannot be started: No such file or directory" in caplog.text


async def test_one_that_only_starts_leaves_as_well() -> None:
    async with planners() as pool:
        pool.expect()
        await asyncio.sleep(0)
        assert pool._starting
        assert not pool.pids


async def test_one_that_has_just_died_is_waited_for() -> None:
    async with planners() as pool:
        await plan(pool, "openai", write("openai", "m", ["Hi"]))
        (planner,) = pool._all
        planner.close()
        pool._idle.clear()
        pool._give_back(planner)
        assert not pool.pids


async def until_taken(pool: Planners) -> None:
    """Wait until a request has the planner: a planner that has died before is skipped."""
    while pool.is_idle:
        await asyncio.sleep(0)


async def test_one_that_dies_is_replaced() -> None:
    async with planners() as pool:
        raw = write("openai", "m", ["Hi"])
        await plan(pool, "openai", raw)
        (first,) = pool.pids
        os.kill(first, signal.SIGSTOP)
        waiting = [asyncio.ensure_future(plan(pool, "openai", raw)) for _ in range(2)]
        await until_taken(pool)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(Busy) as lost:
            await waiting[0]
        assert (lost.value.status, lost.value.code) == (503, "planner_lost")
        assert (await waiting[1]).model == "m", "who waited has another"
        assert pool.pids != [first]


def held_bodies() -> int:
    found = 0
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # A thread has closed it meanwhile.
            found += "casedesk-body" in os.readlink(f"/proc/self/fd/{number}")
    return found


async def test_of_one_that_dies_no_body_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """The body is released without the garbage collector."""
    # Lines that are kept for a report keep the error that they name.
    caplog.set_level(logging.CRITICAL, "casedesk_proxy.planners.pool")
    async with planners() as pool:
        raw = write("openai", "m", ["Hi"])
        await plan(pool, "openai", raw)
        gc.collect()
        gc.disable()
        try:
            before, (pid,) = held_bodies(), pool.pids
            os.kill(pid, signal.SIGSTOP)
            waiting = asyncio.ensure_future(plan(pool, "openai", raw))
            await until_taken(pool)
            os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(Busy):
                await waiting
            del waiting
            for _ in range(5):
                await asyncio.sleep(0)
            assert held_bodies() == before
        finally:
            gc.enable()


class Idle:
    """A planner that is ready."""

    is_alive = True


async def test_no_more_is_planned_at_once_than_there_is_memory_for() -> None:
    pool = Planners(asyncio.get_running_loop(), lambda: 2, lambda: 70)
    some, other = (cast(Planner, Idle()) for _ in range(2))
    pool._idle += [some, other]
    pool._all |= {some, other}
    assert await pool._take(100) is other, "alone, whatever it needs"
    waiting = [asyncio.ensure_future(pool._take(size)) for size in (4, 6, 7)]
    await asyncio.sleep(0)
    assert pool._idle == [some]
    pool._give_back(other, 100)
    assert [await one for one in waiting[:2]] == [other, some]
    pool._give_back(some, 6)
    await asyncio.sleep(0)
    assert not waiting[2].done(), "seven times 4 and 7 are more than 70"
    pool._give_back(other, 4)
    await waiting[2]
    assert pool._planned_bytes == 7


async def test_who_leaves_holds_nobody_up() -> None:
    async with planners() as pool:
        raw = write("openai", "m", ["Hi"])
        left = [asyncio.ensure_future(plan(pool, "openai", raw)) for _ in range(2)]
        await asyncio.sleep(0)
        for one in left:
            one.cancel()
        assert (await plan(pool, "openai", raw)).model == "m"


async def test_asks_who_keeps_a_response() -> None:
    asked = []

    def find_keeper(ident: str) -> Keeper | None:
        asked.append(ident)
        return None

    raw = b'{"model":"m","input":"Hi","previous_response_id":"resp_1"}'
    async with planners() as pool:
        given = replace(ask("responses", b""), find_keeper=find_keeper)
        config = snapshot(speaks="[openai, responses]")
        body = HeldBody.create(raw)
        with contextlib.suppress(ClientFault):
            await pool.plan(config, config.deployments["d"], given, body)
    assert asked == ["resp_1"]


async def test_none_where_none_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    async with planners() as pool:
        with pytest.raises(Busy, match="died"):
            await plan(pool, "openai", write("openai", "m", ["Hi"]))


async def test_signals_to_the_group_are_the_daemons() -> None:
    async with planners() as pool:
        raw = write("openai", "m", ["Hi"])
        await plan(pool, "openai", raw)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(pool.pids[0], number)
        assert (await plan(pool, "openai", raw)).model == "m"
