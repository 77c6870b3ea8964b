"""Threads for disks: work is completed, even after its request was cancelled."""

from __future__ import annotations

import threading

import pytest

from casedesk_proxy.files.threads import DiskThreads
from tests.fixtures.patience import PATIENCE_S


def test_what_work_returns_or_raises() -> None:
    threads = DiskThreads(2)
    assert [threads.submit(lambda one=one: one).result() for one in range(5)] == list(range(5))  # type: ignore[misc]
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 / 0).result()
    threads.close()


def test_what_nobody_waits_for_is_done_all_the_same() -> None:
    threads, hold, done = DiskThreads(1), threading.Event(), threading.Event()
    threads.submit(hold.wait)
    assert threads.submit(done.set).cancel()
    hold.set()
    assert done.wait(PATIENCE_S)
    threads.close()
    assert threads.submit(lambda: 1).result() == 1
