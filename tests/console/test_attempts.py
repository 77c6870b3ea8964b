"""How long a client must wait for the next attempt, and that all instances count together."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from casedesk_proxy.console.attempts import SignInAttempts
from casedesk_proxy.store.file import FILE_NAME
from casedesk_proxy.store.writer import StoreWriter


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> Iterator[SignInAttempts]:
    """Attempts that are counted without a state file."""
    with closing(SignInAttempts(None, clock)) as own:
        yield own


async def fail(attempts: SignInAttempts, clock: Clock, times: int, *who: str) -> list[float]:
    """Fail as soon as an attempt is allowed; returns how long each had to wait."""
    waits = []
    for _ in range(times):
        wait_s = await attempts.begin(who)
        waits.append(wait_s)
        if wait_s > 0:
            clock.now += wait_s
            assert await attempts.begin(who) == 0
    return waits


async def test_people_mistype_and_guessers_wait(attempts: SignInAttempts, clock: Clock) -> None:
    waits = await fail(attempts, clock, 12, "a", "n")
    assert waits == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    clock.now -= 100_000
    assert await attempts.begin(["a"]) == 60


async def test_it_counts_by_address_and_by_name(attempts: SignInAttempts) -> None:
    for number in range(3):
        assert await attempts.begin([f"address {number}", "name"]) == 0
    assert await attempts.begin(["another address", "name"]) == 1
    assert await attempts.begin(["another address"]) == 0, "it did not fail; the name did"
    assert await attempts.begin(["address 0", "another name"]) == 0


async def test_time_passes_and_success_clears(attempts: SignInAttempts, clock: Clock) -> None:
    await fail(attempts, clock, 4, "a")
    clock.now += 0.5
    assert await attempts.begin(["a"]) == 1.5
    assert await attempts.begin(["a"]) == 1.5
    clock.now += 901
    assert await fail(attempts, clock, 3, "a") == [0, 0, 0]
    await attempts.succeed(["a"])
    assert await fail(attempts, clock, 4, "a") == [0, 0, 0, 1]


async def test_what_is_remembered_is_bounded_and_the_oldest_goes(
    attempts: SignInAttempts, clock: Clock
) -> None:
    for _ in range(3):
        await attempts.begin(["first"])
    clock.now += 1
    for start in range(0, 10_000, 5_000):
        await attempts.begin([f"n{number}" for number in range(start, start + 5_000)])
    assert await attempts.begin(["first"]) == 0


async def test_without_a_file_what_was_counted_ends_with_the_process(
    attempts: SignInAttempts, clock: Clock
) -> None:
    await fail(attempts, clock, 5, "a")
    assert await attempts.begin(["a"]) > 0
    attempts.close()
    clock.now += 60
    assert await fail(attempts, clock, 4, "a") == [0, 0, 0, 1]


async def test_instances_and_restarts_count_together(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    stores = [StoreWriter(path, gather_s=0.001) for _ in range(2)]
    for store in stores:
        await asyncio.to_thread(store.start)
    one, other = (SignInAttempts(store, clock) for store in stores)
    assert await one.begin(["name hunter2"]) == 0
    assert await other.begin(["name hunter2"]) == 0
    assert await one.begin(["name hunter2"]) == 0
    assert await other.begin(["name hunter2"]) == 1
    assert await SignInAttempts(stores[0], clock).begin(["name hunter2"]) == 1
    clock.now += 1
    assert await one.begin(["name hunter2"]) == 0
    await one.succeed(["name hunter2"])
    assert await other.begin(["name hunter2"]) == 0
    with closing(sqlite3.connect(path)) as file:
        (dump,) = [list(file.execute("SELECT who FROM sign_in_failures"))]
    assert [len(who) for (who,) in dump] == [8]
    for store in stores:
        await asyncio.to_thread(store.close, 10)
