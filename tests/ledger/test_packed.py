from __future__ import annotations

import struct
from dataclasses import replace
from random import Random
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.ledger.packed import OWN, SHARED, PackedBatch, PackedRows
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.store.waiting import Bell
from casedesk_proxy.terms import Usage
from tests.fixtures.effort import examples
from tests.ledger.book import pack

ID = "0123456789abcdef" * 2
ONE = ExchangeRecord(
    ID, 100.0, surface="openai", action="chat/completions", key="alice", deployment="desk",
    asked="gpt", model="m", node="gpu0", queued=0.25, status=200, terminal=Terminal.COMPLETED,
    first_byte=101.0, ended=102.5, usage=Usage(5, 7),
)  # fmt: skip

maybe = st.none() | st.integers(0, 2**63 - 1)
records = st.builds(
    ExchangeRecord,
    request_id=st.just(ID) | st.text("abc-", min_size=1, max_size=40),
    started=st.floats(0, 1e9), ended=st.floats(0, 1e9),
    first_byte=st.none() | st.floats(0, 1e9), queued=st.floats(0, 1e9),
    key=st.sampled_from(["", "alice", "b\u00f6b"]), asked=st.text(max_size=5),
    status=st.integers(0, 599), terminal=st.sampled_from(Terminal),
    usage=st.builds(Usage, maybe, maybe, maybe, maybe, st.booleans()),
)  # fmt: skip


def read(batch: PackedBatch) -> list[dict[str, Any]]:
    """Each row, without what is not known of it."""
    found = []
    for columns, shared, rows in batch.group():
        for row in rows:
            one = dict(zip((*SHARED, *columns), (*shared, *row), strict=True))
            request = one["request"]
            one["request"] = request.decode() if isinstance(request, bytes) else request
            found.append({name: value for name, value in one.items() if value is not None})
    return found


def spell(record: ExchangeRecord) -> dict[str, Any]:
    usage = record.usage
    given = {
        **{name: getattr(record, name, None) for name in (*SHARED, *OWN)},
        "request": record.request_id, "ending": record.terminal.value,
        "prompt": usage.prompt, "output": usage.output, "cached": usage.cached,
        "thoughts": usage.thoughts, "estimated": usage.estimated,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


@given(given=st.lists(records, max_size=20))
@examples(200)
def test_rows_are_what_they_were(given: list[ExchangeRecord]) -> None:
    found = read(pack(*given))
    wanted = [spell(one) for one in given]
    assert sorted(found, key=repr) == sorted(wanted, key=repr)


def test_rows_that_share_their_values_are_together() -> None:
    given = [replace(ONE, key=key, ended=float(n)) for n, key in enumerate("abab")]
    groups = [(shared[0], [row[4] for row in rows]) for _, shared, rows in pack(*given).group()]
    assert groups == [("a", [0.0, 2.0]), ("b", [1.0, 3.0])]


def test_rows_with_ids_of_clients_are_together_too() -> None:
    given = [replace(ONE, request_id=f"{n}" * 40, usage=Usage(n, 1, n)) for n in range(1, 9)]
    ((_, shared, rows),) = pack(*given, ONE)[:8].group()
    assert (len(shared), [row[OWN.index("request")] for row in rows]) == (
        len(SHARED), [one.request_id for one in given],
    )  # fmt: skip


def test_most_rows_have_no_nothing_in_them() -> None:
    """Which sqlite3 binds slowly."""
    (columns, _, rows), *others = pack(ONE, replace(ONE, usage=Usage(5, 7, 2))).group()
    assert (columns, len(rows)) == (OWN[:-2], 1)
    ((columns, _, rows),) = others
    assert (columns, rows[0][-2:]) == (OWN, (2, None))


def test_a_part_of_a_batch() -> None:
    batch = pack(*(replace(ONE, ended=float(n)) for n in range(1200)))
    assert [one["ended"] for one in read(batch[511:1025])] == [float(n) for n in range(511, 1025)]
    assert (len(batch[3:3]), read(batch[3:3])) == (0, [])


def test_a_count_that_no_file_could_hold_leaves_no_row() -> None:
    rows = PackedRows(Bell())
    for number in range(512):
        rows.add(replace(ONE, ended=float(number)))
    for usage in (Usage(2**70, 1), Usage(1, 1, 2**70)):
        with pytest.raises(struct.error):
            rows.add(replace(ONE, usage=usage))
    rows.add(replace(ONE, ended=512.0))
    assert len(rows) == 513
    assert [one["ended"] for one in read(rows.list_next(1000))] == [float(n) for n in range(513)]


def test_what_waits_is_bounded() -> None:
    rows = PackedRows(Bell(), 1024)
    for number in range(2000):
        rows.add(replace(ONE, ended=float(number)))
    assert (len(rows), rows.overflown) == (1024, 976)
    rows.let_go(1024)
    rows.add(ONE)
    assert (len(rows), rows.overflown, read(rows.list_next(9))) == (1, 976, [spell(ONE)])


def test_floods_are_left_out() -> None:
    assert len(pack(replace(ONE, summed_up=True))) == 0


def test_the_bell_is_rung_once_until_it_is_heard() -> None:
    bell = Bell()
    rows = PackedRows(bell)
    rows.add(ONE)
    rows.add(ONE)
    bell.wait(0.0)
    assert bell._calls.empty()
    bell.is_rung = False
    rows.add(ONE)
    assert not bell._calls.empty()


def test_rows_that_are_held_stay_and_do_not_wait() -> None:
    rows = PackedRows(Bell())
    for number in range(600):
        rows.add(replace(ONE, ended=float(number)))
    rows.hold()
    rows.let_go(599)
    place, waiting = rows.list_waiting()
    assert [one["ended"] for one in read(waiting)] == [599.0]
    rows.add(replace(ONE, ended=600.0))
    rows.let_go(2)
    rows.add(replace(ONE, ended=601.0))
    assert len(rows) == 1
    place, since = rows.list_since(place)
    assert [one["ended"] for one in read(since)] == [600.0, 601.0]
    assert len(rows.list_since(place)[1]) == 0
    rows.release()
    rows.let_go(1)
    rows.add(replace(ONE, ended=602.0))
    assert [one["ended"] for one in read(rows.list_next(9))] == [602.0]


@given(seed=st.integers(0, 2**32))
@examples(10)
def test_while_rows_are_added_each_is_taken_once_in_its_order(seed: int) -> None:
    rows, random, count = PackedRows(Bell()), Random(seed), 5000

    def add() -> None:
        for number in range(count):
            rows.add(replace(ONE, ended=float(number)))

    adder = Thread(target=add)
    adder.start()
    found: list[float] = []
    while len(found) < count:
        batch = rows.list_next(random.randrange(1, 1500))
        found += [one["ended"] for one in read(batch)]
        rows.let_go(len(batch))
    adder.join()
    assert found == [float(number) for number in range(count)]
