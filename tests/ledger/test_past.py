from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, date
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.ledger.packed import PackedRows
from casedesk_proxy.ledger.past import LedgerReader
from casedesk_proxy.ledger.rows import LedgerRows
from casedesk_proxy.limits.book import Book
from casedesk_proxy.limits.past import Past
from casedesk_proxy.limits.windows import Calendar, Moment
from casedesk_proxy.replying.record import ExchangeRecord
from casedesk_proxy.store.file import open_writer
from casedesk_proxy.store.schema import StoreError
from casedesk_proxy.store.writer import Insert, StoreWriter
from casedesk_proxy.terms import Limit, Usage
from tests.fixtures.effort import examples
from tests.fixtures.noon import zone_at_noon
from tests.ledger.book import pack

#: Noon on the first of January 2027.
NOW = 1_798_804_800.0
TODAY = date(2027, 1, 1).toordinal()
BOTH = ("key", "alice"), ("deployment", "desk")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def enter(file: Path, request: str, ended: float, usage: Usage, surface: str = "openai") -> None:
    connection = open_writer(file)
    one = ExchangeRecord(
        request, 10.0, surface=surface, key="alice", deployment="desk", node="n", ended=12.0,
        usage=usage,
    )  # fmt: skip
    LedgerRows(read_ahead=lambda: ended - one.ended).enter(connection, pack(one))
    connection.close()


def read(file: Path, *wanted: tuple[str, str], zone: str = "UTC") -> Past:
    calendar = Calendar(ZoneInfo(zone))
    now = Moment(50_000.0, NOW, calendar.today(NOW))
    return LedgerReader(file).read_past(calendar, now, set(wanted or BOTH))


def test_sums_are_by_days_and_the_last_exchanges_by_seconds(file: Path) -> None:
    enter(file, "r1", NOW - 5000, Usage(1, 2, None, 4))
    enter(file, "r2", NOW - 4990, Usage(10, 20, None, 40), "gemini")
    enter(file, "r3", NOW - 10, Usage(5))
    past = read(file)
    assert past.uses.keys() == set(BOTH)
    for use in past.uses.values():
        assert use.days == {TODAY: 3 + 30 + 5}
        assert list(use.months.values()) == [38]
        assert use.tokens == {49_990: 5}
        assert use.requests == {49_988: 1}


def test_only_what_is_limited_is_gathered(file: Path) -> None:
    enter(file, "r1", NOW - 10, Usage(1, 2))
    assert read(file, ("key", "alice")).uses.keys() == {("key", "alice")}
    past = read(file, ("key", "bob"))
    assert past.uses == {}


@pytest.mark.parametrize("zone", ["UTC", "America/Santiago", "Pacific/Chatham"])
def test_days_are_those_of_the_zone(file: Path, zone: str) -> None:
    calendar = Calendar(ZoneInfo(zone))
    midnight = calendar.today(NOW).day.start
    enter(file, "r1", midnight - 1, Usage(1))
    enter(file, "r2", midnight, Usage(10))
    enter(file, "r3", calendar.today(NOW).day.end - 1, Usage(100))
    use = read(file, zone=zone).uses["key", "alice"]
    today = calendar.today(NOW).day.name
    assert use.days == {today - 1: 1, today: 110}


def test_what_ended_after_today_counts_for_its_day(file: Path) -> None:
    """A clock was set forward and back again."""
    enter(file, "r1", NOW + 2 * 86400, Usage(1))
    use = read(file).uses["key", "alice"]
    assert use.days == {TODAY + 2: 1}
    assert use.tokens == {50_000: 1}


def test_older_exchanges_are_left_out_and_pruned_days_are_not(file: Path) -> None:
    enter(file, "r1", NOW - 40 * 86400, Usage(1, 2))
    assert read(file).uses == {}
    connection = open_writer(file)
    day = "INSERT INTO days VALUES ('2026-12-31', 'alice', 'desk', 'm', 1, 0, 0, 5, 6, 0, 0, 1.0)"
    connection.execute(day)
    connection.close()
    assert read(file).uses["key", "alice"].days == {TODAY - 1: 11}


def test_what_is_new_is_read_once(file: Path) -> None:
    enter(file, "r1", NOW, Usage(1, 2))
    reader = LedgerReader(file)
    calendar = Calendar(UTC)
    reader.read_past(calendar, Moment(0.0, NOW, calendar.today(NOW)), ())
    assert reader.read_new() == []
    enter(file, "r2", NOW + 1, Usage(3, 4))
    assert [one.tokens for one in reader.read_new()] == [7]
    assert reader.read_new() == []


def test_a_file_that_is_not_there_is_an_error(file: Path) -> None:
    with pytest.raises((StoreError, sqlite3.Error)):
        LedgerReader(file).read_new()


def record(number: int, key: str = "alice") -> ExchangeRecord:
    ended = time.monotonic()
    usage = Usage(number, 0)
    return ExchangeRecord(
        "the same", ended - 0.01, key=key, deployment="desk", node="n", ended=ended, usage=usage
    )


def join(writer: StoreWriter) -> tuple[PackedRows, LedgerReader]:
    rows = PackedRows(writer.bell)
    reader = LedgerReader(writer.path, rows, writer.commits)
    writer.join(rows, LedgerRows(reader.own))
    return rows, reader


def test_what_waits_for_the_file_is_in_the_past_and_then_an_own_row(file: Path) -> None:
    writer = StoreWriter(file)
    rows, reader = join(writer)
    rows.add(record(1))
    writer.write(Insert("INSERT INTO facts VALUES (?, 'x')", lambda n: n), ("a",))
    rows.add(record(2))
    open_writer(file).close()
    calendar, wall = Calendar(zone_at_noon()), time.time()
    reader.hold()
    past = reader.read_past(calendar, Moment(0.0, wall, calendar.today(wall)), set(BOTH))
    for use in past.uses.values():
        assert list(use.days.values()) == [3]
        assert sum(use.requests.values()) == 2
    rows.add(record(4, "bob"))
    place, (later,) = reader.list_ended(past.place)
    assert (place, later.key, later.tokens, later.asked) == (3, "bob", 4, True)
    reader.release()
    writer.start()
    writer.close(20)
    assert (writer.waiting, reader.read_new()) == (0, [])


@given(seed=st.integers(0, 2**32))
@examples(15)
def test_whenever_the_ledger_is_read_each_exchange_counts_once(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With two processes that write, of which one reads, and starts again at any moment."""
    random, folder = Random(seed), tmp_path_factory.mktemp("ledger")
    own, other = (StoreWriter(folder / "state.db", gather_s=0.0005) for _ in range(2))
    (rows, reader), (others, _) = join(own), join(other)
    calendar, wall = Calendar(zone_at_noon()), time.time()
    now = Moment(time.monotonic(), wall, calendar.today(wall))
    book, stop = Book(calendar), threading.Event()
    use = book.open("key", "alice")

    def write_elsewhere() -> None:
        for number in range(200):
            others.add(record(1))
            if number % 7 == 0:
                stop.wait(0.0005)

    own.start()
    other.start()
    elsewhere = threading.Thread(target=write_elsewhere)
    elsewhere.start()
    for _ in range(8):
        for _ in range(random.randrange(40)):
            rows.add(record(1000))
            use.add_tokens(now, 1000)
        if random.random() < 0.5:
            reader.hold()
            past = reader.read_past(calendar, now, book.scopes)
            for _ in range(random.randrange(20)):
                rows.add(record(1000))
                use.add_tokens(now, 1000)
            for _ in book.replace(past, lambda _: (), reader.list_ended, lambda: now):
                pass
            reader.release()
        elif reader.own._is_followed:
            book.take(reader.read_new(), now)
        stop.wait(random.random() * 0.002)
    elsewhere.join()
    own.close(20)
    other.close(20)
    if reader.own._is_followed:
        book.take(reader.read_new(), now)
        with closing(open_writer(own.path)) as file:
            (total,) = file.execute("SELECT sum(prompt) FROM exchanges").fetchone()
        assert use.used(Limit.TOKENS_PER_DAY, now) == total
