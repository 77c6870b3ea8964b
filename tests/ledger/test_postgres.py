"""Rows in a real PostgreSQL, which fails and comes back: none is lost, none is entered twice."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from casedesk_proxy.ledger.database import connect
from casedesk_proxy.ledger.past import LedgerReader
from casedesk_proxy.ledger.postgres import RowForwarder, read_forwarded
from casedesk_proxy.ledger.query import DIMENSIONS, Query, read_shared_usage, read_usage
from casedesk_proxy.ledger.retention import prune
from casedesk_proxy.limits.past import Spent
from casedesk_proxy.limits.windows import Calendar, Moment
from casedesk_proxy.store.file import FILE_NAME, open_reader, open_writer
from casedesk_proxy.store.writer import StoreWriter
from tests.fixtures.noon import zone_at_noon
from tests.fixtures.postgres import Postgres, postgres
from tests.ledger.book import at, enter

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


class Host:
    """A state file and the forwarder of its rows."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir(exist_ok=True)
        self.store = StoreWriter(folder / FILE_NAME, gather_s=0.001)
        self.store.start()
        self._url = url
        self.forwarders: list[RowForwarder] = []
        self.begin()

    def begin(self) -> RowForwarder:
        forwarder = RowForwarder(self.store, self._url, asyncpg, look_s=0.01, retry_s=0.01)
        forwarder.start()
        self.forwarders.append(forwarder)
        return forwarder

    def add(self, count: int, key: str, ended: float = 1.5) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for number in range(count):
                enter(connection, ended, request=f"{key}{number}", key=key, prompt=number, output=1)

        self.store.perform(work).result(20)

    def forwarded(self) -> int:
        with open_reader(self.store.path) as reader:
            return read_forwarded(reader)

    def close(self) -> None:
        for forwarder in self.forwarders:
            forwarder.close(20)
        self.store.close(20)


@pytest.fixture
def make(tmp_path: Path, server: Postgres) -> Iterator[Callable[[str], Host]]:
    made: list[Host] = []

    def make(name: str) -> Host:
        host = Host(tmp_path / name, server.url)
        made.append(host)
        return host

    yield make
    for host in made:
        host.close()


def ask(server: Postgres, question: str, url: str = "") -> list[tuple[object, ...]]:
    async def fetch() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(url or server.url)
        rows = await connection.fetch(question)
        await connection.close()
        return [tuple(row) for row in rows]

    return asyncio.run(fetch())


def make_database(server: Postgres, name: str) -> str:
    """The URL of a new database."""
    ask(server, f"CREATE DATABASE {name}")
    return server.url.replace("/postgres?", f"/{name}?")


def ask_usage(url: str, query: Query) -> list[dict[str, object]]:
    async def fetch() -> list[dict[str, object]]:
        connection = await connect(asyncpg, url)
        groups = await read_shared_usage(connection, query)
        await connection.close()
        return groups

    return asyncio.run(fetch())


def until(condition: Callable[[], bool]) -> None:
    tick = threading.Event()
    while not condition():
        tick.wait(0.01)


def test_the_server_goes_away_and_comes_back(
    make: Callable[[str], Host], server: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = make("one"), make("other")
    question = """
        SELECT count(*), count(DISTINCT (origin, id)), sum(prompt) FROM exchanges
        WHERE key IN ('a', 'b', 'c', 'd')
    """
    forwarders = [*one.forwarders, *other.forwarders]
    with caplog.at_level(logging.WARNING):
        one.add(700, "a")
        other.add(30, "b")
        until(lambda: one.forwarded() == 700 and other.forwarded() == 30)
        # At first the server may not have been up. What is noted in the file is logged after it.
        until(lambda: not any(forwarder.fault for forwarder in forwarders))
        caplog.clear()
        server.kill()
        one.add(600, "c")
        other.add(20, "d")
        until(lambda: all(forwarder.fault for forwarder in forwarders))
        assert one.forwarded() == 700
        server.start()
        until(lambda: one.forwarded() == 1300 and other.forwarded() == 50)
        until(lambda: not any(forwarder.fault for forwarder in forwarders))
    count, distinct, prompts = ask(server, question)[0]
    assert (count, distinct) == (1350, 1350)
    assert prompts == sum(sum(range(n)) for n in (700, 30, 600, 20))
    until(lambda: one.forwarders[0].behind == 0)
    assert "very-secret" not in caplog.text
    assert caplog.text.count("cannot write to the ledger's database") == 2, "once for each"
    assert caplog.text.count("can be written again") == 2


def test_what_was_sent_but_not_noted_is_the_same_row(
    make: Callable[[str], Host], server: Postgres
) -> None:
    host = make("forgetful")
    host.add(40, "e")
    until(lambda: host.forwarded() == 40)
    host.forwarders[0].close(20)

    def forget(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM facts WHERE name = 'forwarded'")

    host.store.perform(forget).result(20)
    host.begin()
    until(lambda: host.forwarded() == 40)
    assert ask(server, "SELECT count(*) FROM exchanges WHERE key = 'e'") == [(40,)]


def test_of_several_processes_one_sends(make: Callable[[str], Host], server: Postgres) -> None:
    host = make("shared")
    host.add(5, "f")
    until(lambda: host.forwarded() == 5)
    second = host.begin()
    host.add(5, "f")
    # What is noted in the file is counted a moment later.
    until(lambda: host.forwarders[0].sent + second.sent == 10)
    assert (host.forwarders[0].sent, second.sent) == (10, 0)
    host.forwarders[0].close(20)
    host.add(5, "f")
    until(lambda: second.sent == 5)
    assert host.forwarded() == 15


def test_rows_stay_until_they_are_sent(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / FILE_NAME)
    for _ in range(3):
        enter(connection, 1.0)
    assert read_forwarded(connection) == 0
    assert prune(connection, 2.0, last=read_forwarded(connection)) == 0
    assert prune(connection, 2.0, last=2) == 2
    connection.close()


def test_what_is_wrong_is_said_without_the_password(
    tmp_path: Path, server: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    for number, (url, words) in enumerate((
        (server.url.replace("/postgres?", "/none?"), 'database "none" does not exist'),
        ("postgresql://u:very-secret@127.0.0.1:1/x?sslmode=disable", "Connection refused"),
        ("not a url very-secret", "ledger.url is not a PostgreSQL URL"),
    )):  # fmt: skip
        host = Host(tmp_path / str(number), url)
        host.add(1, "g")
        until(lambda host=host, words=words: words in host.forwarders[0].fault)  # type: ignore[misc]
        host.close()
    assert "very-secret" not in caplog.text


def test_hosts_see_what_others_use(tmp_path: Path, server: Postgres) -> None:
    now = time.time()
    url = make_database(server, "seen")
    one, other = Host(tmp_path / "one", url), Host(tmp_path / "other", url)
    try:
        one.add(3, "h", now)
        other.add(2, "i", now)
        # What is older than any limit counts is not received.
        other.add(1, "old", now - 40 * 86400)
        until(lambda: one.forwarders[0].received == 2 and other.forwarders[0].received == 3)
        reader = LedgerReader(one.store.path)
        calendar = Calendar(zone_at_noon())
        moment = Moment(0.0, now, calendar.today(now))
        past = reader.read_past(calendar, moment, {("key", "h"), ("key", "i")})
        assert {name: sum(use.days.values()) for (_, name), use in past.uses.items()} == {
            "h": 6, "i": 3,
        }  # fmt: skip
        assert reader.read_new() == []
        other.add(1, "j", now)
        until(lambda: one.forwarders[0].received == 3)
        assert reader.read_new() == [Spent("j", "", 1, now - 1, now, asked=False)]
        assert reader.read_new() == []
        # The next process of the host goes on where this one was.
        one.forwarders[0].close(20)
        following = one.begin()
        other.add(1, "k", now)
        until(lambda: following.received == 1)
        assert [row.key for row in reader.read_new()] == ["k"]
    finally:
        one.close()
        other.close()


def test_usage_of_all_hosts_is_asked_for_as_that_of_one(tmp_path: Path, server: Postgres) -> None:
    url = make_database(server, "asked")
    host = Host(tmp_path / "host", url)
    try:
        host.add(20, "alice", at("2026-01-01 23:59"))
        host.add(5, "bob", at("2026-01-02 00:00"))
        host.add(1, "", at("2026-02-03 13:00"))
        until(lambda: host.forwarded() == 26)
        queries = [
            *(Query([name]) for name in DIMENSIONS),
            Query(["month", "key"]),
            Query(["key"], at("2026-01-02 00:00"), at("2026-02-03 13:00")),
            Query(["model"], key="bob"),
        ]
        with open_reader(host.store.path) as reader:
            wanted = [read_usage(reader, query) for query in queries]
        assert [ask_usage(url, query) for query in queries] == wanted
        # What is old becomes sums there, too, and is not sent again.
        host.forwarders[0].prune(at("2026-01-02 00:00"))
        until(lambda: ask(server, "SELECT count(*) FROM exchanges", url) == [(6,)])
        day = ask(server, "SELECT day, key, exchanges, failed, prompt, output FROM days", url)
        assert day == [("2026-01-01", "alice", 20, 0, 190, 20)]
        for query in (Query(["key"]), Query(["day", "model"])):
            assert ask_usage(url, query) == wanted_now(host, query)
    finally:
        host.close()


def wanted_now(host: Host, query: Query) -> list[dict[str, object]]:
    with open_reader(host.store.path) as reader:
        return read_usage(reader, query)


def test_a_database_of_before_gets_its_places(tmp_path: Path, server: Postgres) -> None:
    url = make_database(server, "before")
    host = Host(tmp_path / "host", url)
    host.add(3, "l", time.time())
    until(lambda: host.forwarded() == 3)
    host.close()
    ask(server, "ALTER TABLE exchanges DROP COLUMN place", url)
    ask(server, "DROP TABLE days", url)
    other = Host(tmp_path / "other", url)
    try:
        until(lambda: other.forwarders[0].received == 3)
    finally:
        other.close()


def test_a_model_s_name_with_nul(make: Callable[[str], Host], server: Postgres) -> None:
    host = make("nul")

    def work(connection: sqlite3.Connection) -> None:
        enter(connection, 1.5, request="nul", key="nul", asked="a\0b", model="\0")

    host.store.perform(work).result(20)
    until(lambda: host.forwarded() == 1 or bool(host.forwarders[0].fault))
    rows = ask(server, "SELECT asked, model FROM exchanges WHERE key = 'nul'")
    assert rows == [("a\ufffdb", "\ufffd")]


def test_rows_that_the_database_refuses_keep_no_others_back(
    tmp_path: Path, server: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    """Some databases have an encoding that lacks characters."""
    ask(server, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    url = server.url.replace("/postgres?", "/latin?")
    host = Host(tmp_path, url)
    names = ("caf\u00e9", "\u6a21\u578b", "\U0001f999", "plain")

    def work(connection: sqlite3.Connection) -> None:
        for name in names:
            enter(connection, 1.5, request=name, key="k", asked=name)

    try:
        with caplog.at_level(logging.ERROR):
            host.store.perform(work).result(20)
            host.add(300, "more")
            until(lambda: host.forwarded() == 300 + len(names))
        until(lambda: host.forwarders[0].behind == 0)
    finally:
        host.close()
    assert ask(server, "SELECT count(*) FROM exchanges WHERE key = 'more'", url) == [(300,)]
    assert ask(server, "SELECT asked FROM exchanges WHERE key = 'k' ORDER BY id", url) == [
        ("caf\u00e9",),
        ("plain",),
    ]
    lines = [one for one in caplog.messages if "refused" in one]
    assert [one.partition("refused ")[2].partition(" ")[0] for one in lines] in (["2"], ["1", "1"])
    assert "LATIN1" in lines[0]
    assert host.forwarders[0].sent == 302
