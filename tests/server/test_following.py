"""How limits follow the ledger, without a file."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Container, Sequence

import pytest

from casedesk_proxy.limits.book import Book
from casedesk_proxy.limits.past import Past, PastSum, ScopeName, Spent
from casedesk_proxy.limits.windows import Calendar, Moment
from casedesk_proxy.server.following import Follower
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.terms import Limit
from tests.fixtures.noon import zone_at_noon
from tests.fixtures.patience import PATIENCE_S
from tests.fixtures.stopping import ends_after_news

CALENDAR = Calendar(zone_at_noon())


def now() -> Moment:
    wall = time.time()
    return Moment(time.monotonic(), wall, CALENDAR.today(wall))


class Ledger:
    """``fault``: the reason why the ledger cannot be read."""

    def __init__(self, tokens: int = 0) -> None:
        self.tokens = tokens
        self.rows: list[Spent] = []
        #: What this process has added, and whether it is remembered.
        self.ended: list[Spent] = []
        self.is_held = False
        self.fault = ""
        self.asked = 0
        #: Set: nothing keeps it from reading.
        self.may_read = threading.Event()
        self.may_read.set()
        self.is_known = False
        self.looks = self.reads = 0

    def knows_all(self) -> bool:
        self.looks += 1
        return self.is_known

    def read_past(self, calendar: Calendar, now: Moment, wanted: Container[ScopeName]) -> Past:
        assert self.is_held
        self.asked += 1
        self.may_read.wait(PATIENCE_S)
        if self.fault:
            raise StoreError(self.fault)
        past = Past(calendar, now, wanted)
        past.add_sums([PastSum("alice", "desk", now.wall, self.tokens)])
        return past

    def read_new(self) -> Sequence[Spent]:
        self.reads += 1
        if self.fault:
            raise StoreError(self.fault)
        # In this order: what is added meanwhile is read next.
        rows = [*self.rows]
        del self.rows[: len(rows)]
        return rows

    def hold(self) -> None:
        self.is_held = True

    def release(self) -> None:
        self.is_held = False

    def list_ended(self, place: int) -> tuple[int, Sequence[Spent]]:
        assert self.is_held
        return len(self.ended), self.ended[place:]


def used(book: Book) -> int:
    use = book.find("key", "alice")
    assert use is not None
    return use.used(Limit.TOKENS_PER_DAY, now())


def follower(book: Book, ledger: Ledger | None) -> Follower:
    return Follower(book, ledger, now, lambda _: (), look_s=0.001)


async def until(book: Book, tokens: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while used(book) != tokens:
            await asyncio.sleep(0.001)


async def test_nothing_is_read_before_there_is_something_to_count() -> None:
    book, ledger = Book(CALENDAR), Ledger()
    one = follower(book, ledger)
    await one.start()
    following = asyncio.ensure_future(one.follow())
    await asyncio.sleep(0)
    assert ledger.asked == 0
    ledger.tokens = 7
    book.open("key", "alice")
    one.begin_anew()
    await until(book, 7)
    following.cancel()


async def test_what_others_write_is_added() -> None:
    book, ledger = Book(CALENDAR), Ledger(5)
    book.open("key", "alice")
    one = follower(book, ledger)
    one.begin_anew()
    await one.start()
    assert used(book) == 5
    following = asyncio.ensure_future(one.follow())
    wall = time.time()
    ledger.rows += [Spent("alice", "desk", 3, wall, wall, asked=True)]
    await until(book, 8)
    following.cancel()


async def test_what_is_known_is_not_read() -> None:
    book, ledger = Book(CALENDAR), Ledger()
    book.open("key", "alice")
    one = follower(book, ledger)
    one.begin_anew()
    await one.start()
    ledger.is_known = True
    following = asyncio.ensure_future(one.follow())
    wall = time.time()
    async with asyncio.timeout(PATIENCE_S):
        while ledger.looks < 3:
            await asyncio.sleep(0.001)
        assert ledger.reads == 0
        ledger.rows += [Spent("alice", "desk", 3, wall, wall, asked=True)]
        ledger.is_known = False
        await until(book, 3)
    following.cancel()


async def test_thousands_of_rows_are_counted_in_several_turns() -> None:
    book, ledger = Book(CALENDAR), Ledger()
    book.open("key", "alice")
    one = follower(book, ledger)
    one.begin_anew()
    await one.start()
    following = asyncio.ensure_future(one.follow())
    wall = time.time()
    ledger.rows += [Spent("alice", "desk", 1, wall, wall, asked=True) for n in range(1700)]
    seen = {used(book)}
    async with asyncio.timeout(PATIENCE_S):
        while max(seen) < 1700:
            await asyncio.sleep(0)
            seen.add(used(book))
    following.cancel()
    assert seen == {0, 500, 1000, 1500, 1700}


async def test_a_ledger_that_cannot_be_read_is_said_once_and_read_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    book, ledger = Book(CALENDAR), Ledger(5)
    ledger.fault = "it is damaged"
    book.open("key", "alice")
    one = follower(book, ledger)
    one.begin_anew()
    await one.start()
    following = asyncio.ensure_future(one.follow())
    async with asyncio.timeout(PATIENCE_S):
        while ledger.asked < 4:
            await asyncio.sleep(0.001)
    assert used(book) == 0
    ledger.fault = ""
    await until(book, 5)
    following.cancel()
    assert caplog.text.count("it is damaged") == 1


async def test_a_ledger_that_is_read_for_long_keeps_no_start_and_counts_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    book, ledger = Book(CALENDAR), Ledger(5)
    book.open("key", "alice")
    one = Follower(book, ledger, now, lambda _: (), look_s=0.001, past_wait_s=0.0)
    one.begin_anew()
    ledger.may_read.clear()
    await one.start()
    assert "earlier use is not known yet" in caplog.text
    following = asyncio.ensure_future(one.follow())
    ledger.may_read.set()
    await until(book, 5)
    assert ledger.asked == 1, "what was begun is not begun again"
    following.cancel()


async def test_without_a_ledger_there_is_nothing_to_follow() -> None:
    book = Book(CALENDAR)
    book.open("key", "alice")
    one = follower(book, None)
    one.begin_anew()
    await one.start()
    await asyncio.wait_for(one.follow(), PATIENCE_S)
    assert used(book) == 0


async def test_what_ends_while_the_past_is_read_counts_once() -> None:
    book, ledger = Book(CALENDAR), Ledger(5)
    book.open("key", "alice")
    one = follower(book, ledger)
    ledger.may_read.clear()
    reading = asyncio.ensure_future(one.read_past())
    await asyncio.sleep(0)
    use = book.find("key", "alice")
    assert use is not None
    use.add_tokens(now(), 3)
    ledger.ended.append(Spent("alice", "desk", 3, time.time(), time.time(), asked=True))
    ledger.may_read.set()
    assert await reading
    assert (used(book), ledger.is_held) == (8, False)


async def test_a_caller_that_leaves_takes_nothing_of_the_past_away() -> None:
    book, ledger = Book(CALENDAR), Ledger(5)
    book.open("key", "alice")
    one = follower(book, ledger)
    ledger.may_read.clear()
    caller = asyncio.ensure_future(one.read_now())
    while not ledger.asked:
        await asyncio.sleep(0.001)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    ledger.may_read.set()
    await until(book, 5)


async def test_who_asks_during_a_long_read_waits_for_it_and_not_for_ever() -> None:
    book, ledger = Book(CALENDAR), Ledger(5)
    book.open("key", "alice")
    one = Follower(book, ledger, now, lambda _: (), look_s=0.001, past_wait_s=0.01)
    ledger.may_read.clear()
    assert not await one.read_now()
    while not ledger.asked:
        await asyncio.sleep(0.001)
    assert not await one.read_now()
    assert ledger.asked == 1
    ledger.may_read.set()
    await until(book, 5)


@pytest.mark.parametrize("rounds", range(4))
async def test_a_stop_right_after_a_wish_ends_it(rounds: int) -> None:
    book = Book(CALENDAR)
    book.open("key", "alice")
    one = Follower(book, Ledger(), now, lambda _: (), look_s=60)
    assert await ends_after_news(one.follow(), one.begin_anew, rounds)
