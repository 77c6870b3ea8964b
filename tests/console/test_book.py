"""How long sessions live, and which instances know them."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from casedesk_proxy.config.load import load_config
from casedesk_proxy.console.book import SessionBook
from casedesk_proxy.snapshot import compile_snapshot
from casedesk_proxy.store.file import FILE_NAME
from casedesk_proxy.store.writer import StoreWriter
from tests.fixtures.stopping import ends_after_news

PROOF = hashlib.sha256(b"k").hexdigest()
CONFIG = load_config(
    f"""
nodes: {{n: {{url: "http://127.0.0.1:1"}}}}
deployments: {{d: {{nodes: [n]}}}}
keys: [{{name: alice, sha256: "{PROOF}", deployments: [d]}}]
console: {{idle_timeout: 10s, lifetime: 25s}}
""",
    "t",
).config
SNAPSHOT = compile_snapshot(CONFIG, {})


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def make(clock: Clock, store: StoreWriter | None = None) -> SessionBook:
    return SessionBook(lambda: CONFIG, lambda: SNAPSHOT, store, now=clock)


async def test_a_session_lives_while_it_is_used_but_not_for_ever() -> None:
    clock = Clock()
    book = make(clock)
    assert not book
    ident, session = await book.begin("alice", "key", PROOF)
    assert book
    assert ident not in repr(session)
    for passed, lives in ((9, True), (9, True), (6, True), (2, False)):
        clock.now += passed
        assert (book.find(ident) is not None) is lives
    assert not book.is_open(session)
    await book.look()
    assert not book


async def test_a_session_that_is_not_used_ends() -> None:
    clock = Clock()
    book = make(clock)
    ident, session = await book.begin("alice", "key", PROOF)
    clock.now += 9.9
    assert book.is_open(session)
    clock.now += 0.1
    assert not book.is_open(session)
    assert book.find(ident) is None


async def test_a_session_of_a_key_or_a_password_that_nobody_has_is_none() -> None:
    book = make(Clock())
    for way, proof in (("key", "00" * 32), ("password", PROOF)):
        ident, session = await book.begin("alice", way, proof)
        assert book.find(ident) is None
        assert not book.is_open(session)


async def test_other_ids_are_nobody_s() -> None:
    book = make(Clock())
    ident, session = await book.begin("alice", "key", PROOF)
    assert book.find(ident + "x") is None
    assert book.find(session.digest) is None


async def test_what_ends_does_not_come_back_with_an_older_look(tmp_path: Path) -> None:
    store = StoreWriter(tmp_path / FILE_NAME, gather_s=0.001)
    await asyncio.to_thread(store.start)
    clock = Clock()
    book, other = make(clock, store), make(clock, store)
    ident, session = await book.begin("alice", "key", PROOF)
    await other.look()
    assert other.find(ident) is not None
    ending = asyncio.ensure_future(book.end(session))
    await book.look()
    assert book.find(ident) is None
    await ending
    await other.look()
    assert other.find(ident) is None
    await asyncio.to_thread(store.close, 10)


async def test_what_begins_during_a_look_stays(tmp_path: Path) -> None:
    store = StoreWriter(tmp_path / FILE_NAME, gather_s=0.001)
    await asyncio.to_thread(store.start)
    book = make(Clock(), store)
    (ident, _), _ = await asyncio.gather(book.begin("alice", "key", PROOF), book.look())
    await book.look()
    assert book.find(ident) is not None
    await asyncio.to_thread(store.close, 10)


async def test_a_session_that_began_elsewhere_is_looked_for(tmp_path: Path) -> None:
    store = StoreWriter(tmp_path / FILE_NAME, gather_s=0.001)
    await asyncio.to_thread(store.start)
    book, other, alone = make(Clock(), store), make(Clock(), store), make(Clock())
    ident, _ = await book.begin("alice", "key", PROOF)
    await asyncio.gather(*(other.look_for(one) for one in ("unknown", ident, ident)))
    assert other.find(ident) is not None
    await alone.look_for(ident)
    assert alone.find(ident) is None
    await asyncio.to_thread(store.close, 10)


async def test_a_file_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    book = make(Clock(), StoreWriter(tmp_path / "none" / FILE_NAME))
    await book.look()
    assert not book


async def test_it_reads_again_once_it_hears_of_news(tmp_path: Path) -> None:
    store = StoreWriter(tmp_path / FILE_NAME, gather_s=0.001)
    await asyncio.to_thread(store.start)
    book, other = make(Clock(), store), make(Clock(), store)
    keeping = asyncio.ensure_future(other.keep_current())
    ident, _ = await book.begin("alice", "key", PROOF)
    other.hear()
    async with asyncio.timeout(30):
        while not other:
            await asyncio.sleep(0)
    assert other.find(ident) is not None
    keeping.cancel()
    await asyncio.to_thread(store.close, 10)


async def test_it_reads_again_now_and_then_and_after_a_failure(tmp_path: Path) -> None:
    """The times at which other processes used a session are not a change."""
    clock, looks = Clock(), asyncio.Queue[None]()

    class Counted(SessionBook):
        async def look(self) -> None:
            looks.put_nowait(None)
            await super().look()

    store = StoreWriter(tmp_path / "none" / FILE_NAME)
    book = Counted(lambda: CONFIG, lambda: SNAPSHOT, store, now=clock, read_again_s=0.001)
    keeping = asyncio.ensure_future(book.keep_current())
    async with asyncio.timeout(30):
        for _ in range(3):
            await looks.get()
    keeping.cancel()


@pytest.mark.parametrize("rounds", range(4))
async def test_a_stop_right_after_news_ends_it(rounds: int) -> None:
    book = make(Clock())
    assert await ends_after_news(book.keep_current(), book.hear, rounds)
