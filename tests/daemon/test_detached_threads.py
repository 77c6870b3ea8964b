"""Reads that hang delay neither other reads nor the end of the process."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from casedesk_proxy.daemon.detached_threads import _MAX_HUNG_THREADS, DetachedThreads


async def test_it_runs_elsewhere_and_hands_back() -> None:
    apart = DetachedThreads[int]("thinking")
    assert await apart.run(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await apart.run(lambda: 1 // 0)
    with pytest.raises(TimeoutError, match="its own"):
        await apart.run(lambda: (_ for _ in ()).throw(TimeoutError("its own")))


async def test_a_pipe_that_nobody_writes_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    apart = DetachedThreads[str]("reading c.yaml", limit_s=0.05)
    with pytest.raises(TimeoutError, match=r"reading c.yaml takes more than 0.05 s: is one"):
        await apart.run(pipe.read_text)
    with pipe.open("w"):
        pass
    while any(thread.is_alive() for thread in apart._threads):
        await asyncio.sleep(0.01)


async def test_only_so_many_may_hang() -> None:
    release = threading.Event()
    apart = DetachedThreads[bool]("waiting", hurried_limit_s=0.0)
    for _ in range(_MAX_HUNG_THREADS):
        hung = asyncio.ensure_future(apart.run(release.wait))
        await asyncio.sleep(0)
        apart.hurry()
        with pytest.raises(TimeoutError, match="waiting takes more than 0 s"):
            await hung
    with pytest.raises(TimeoutError, match="waiting has hung 8 times"):
        await apart.run(lambda: True)
    release.set()
    while any(thread.is_alive() for thread in apart._threads):
        await asyncio.sleep(0.01)
    assert await apart.run(lambda: True)


async def test_who_no_longer_waits(tmp_path: Path) -> None:
    release = threading.Event()
    apart = DetachedThreads[bool]("waiting")
    task = asyncio.ensure_future(apart.run(release.wait))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    assert await apart.run(lambda: True)


async def test_what_hangs_gives_way_to_who_waits() -> None:
    release = threading.Event()
    apart = DetachedThreads[bool]("waiting", hurried_limit_s=0.05)
    apart.hurry()
    hung = asyncio.ensure_future(apart.run(release.wait))
    await asyncio.sleep(0)
    apart.hurry()
    with pytest.raises(TimeoutError, match=r"waiting takes more than 0.05 s: is one"):
        await hung
    apart.hurry()
    release.set()
    assert await apart.run(lambda: True)
