"""Slots of two instances on one table: never more than a node's, fair, and free when one ends."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest

from casedesk_proxy.errors import Busy
from casedesk_proxy.instances.table import MAX_COLUMNS, HostTable
from casedesk_proxy.pools.admission import Admission, Rejection, Ticket
from casedesk_proxy.pools.caps import Cap, Seats
from casedesk_proxy.pools.node import NodeState
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.terms import UseRules
from casedesk_proxy.upstream.shared_slots import SharedSlots
from casedesk_proxy.upstream.slots import Slots

ANY = Demand("least-streams", ("n",))


class Instance:
    """`Slots` without a loop."""

    def __init__(
        self, place: Path, limit: int, *names: str, max_columns: int = MAX_COLUMNS
    ) -> None:
        self.table = HostTable(place, max_columns=max_columns)
        self.admission = Admission()
        for name in names or ("n",):
            self.admission.states[name] = NodeState(name, limit=limit)
        self.shared = SharedSlots(self.admission, self.table)

    def ask(self, ticket: Ticket, now: float = 0.0, most: int = 100) -> Ticket:
        self.shared.read_for(ticket, now)
        self.commit(self.admission.enqueue(ticket, now, most), now)
        return ticket

    def end(self, ticket: Ticket, now: float = 0.0) -> list[Ticket]:
        assert ticket.slot is not None
        self.shared.read_all(now)
        decided = self.admission.release(ticket.slot, now)
        self.shared.publish_slot(ticket.slot)
        return self.commit(decided, now)

    def look(self, now: float = 0.0) -> list[Ticket]:
        self.shared.read_all(now)
        return self.commit(self.admission.serve_waiting(now), now)

    def commit(self, decided: list[Ticket], now: float) -> list[Ticket]:
        return self.shared.commit(decided, now)


def ticket(key: str = "k", demand: Demand = ANY, caps: tuple[Cap, ...] = ()) -> Ticket:
    return Ticket("d", key, demand, caps=caps)


def test_two_instances_give_no_more_slots_than_a_node_has(tmp_path: Path) -> None:
    one, two = Instance(tmp_path, 2), Instance(tmp_path, 2)
    first, second = one.ask(ticket()), two.ask(ticket())
    assert first.slot is not None
    assert second.slot is not None
    third = one.ask(ticket())
    assert not third.is_decided
    assert not two.ask(ticket()).is_decided
    # The slot that one leaves is seen by the other.
    assert one.admission.states["n"].load == 2
    assert two.end(second) == []
    assert one.look() == [third]
    assert third.slot is not None


def test_the_last_slot_is_not_taken_twice(tmp_path: Path) -> None:
    """Both instances have read the table before either has written to it."""
    one, two = Instance(tmp_path, 1), Instance(tmp_path, 1)
    mine, yours = ticket(), ticket()
    one.shared.read_for(mine, 0.0)
    two.shared.read_for(yours, 0.0)
    first = one.admission.enqueue(mine, 0.0, 9)
    second = two.admission.enqueue(yours, 0.0, 9)
    assert one.commit(first, 0.0) == [mine]
    assert two.commit(second, 0.0) == []
    assert not yours.is_decided
    assert two.admission.waiting("d") == 1
    assert two.admission.states["n"].in_flight == 0
    assert two.table.count_elsewhere(two.table.column("node n") or 0) == 1
    assert one.end(mine) == []
    assert two.look() == [yours]


def test_another_node_is_taken_where_the_others_are_at_one(tmp_path: Path) -> None:
    one, two = Instance(tmp_path, 9, "x", "y"), Instance(tmp_path, 9, "x", "y")
    demand = Demand("least-streams", ("x", "y"))
    taken = [(one if turn % 2 else two).ask(ticket(demand=demand)) for turn in range(8)]
    assert [one.slot.state.name for one in taken if one.slot].count("x") == 4


def test_queues_are_full_together(tmp_path: Path) -> None:
    one, two = Instance(tmp_path, 1), Instance(tmp_path, 1)
    running = one.ask(ticket())
    waiting = [one.ask(ticket(key), most=3) for key in "abc"]
    refused = two.ask(ticket("x"), most=3)
    assert refused.rejection is Rejection.QUEUE_FULL
    assert one.end(running) == [waiting[0]]
    assert not two.ask(ticket("x"), most=3).is_decided
    # Nobody waits in one any more: two's queue has all places.
    for each in waiting[1:]:
        one.admission.cancel(each, 0.0)
    one.commit([], 0.0)
    assert [two.ask(ticket(key), most=3).is_decided for key in "yz"] == [False, False]


def test_limits_on_parallel_requests_hold_across_instances(tmp_path: Path) -> None:
    one, two = Instance(tmp_path, 9), Instance(tmp_path, 9)
    rules = UseRules("key", "alice", (), parallel=1, waits=False)
    mine, yours = ((Cap(rules, Seats()),) for _ in range(2))
    first = one.ask(ticket(caps=mine))
    second = two.ask(ticket(caps=yours))
    assert second.rejection is Rejection.PARALLEL
    assert second.reached is yours[0]
    assert one.end(first) == []
    third, fourth = ticket(caps=mine), ticket(caps=yours)
    one.shared.read_for(third, 0.0)
    two.shared.read_for(fourth, 0.0)
    decided, undone = (
        each.admission.enqueue(asked, 0.0, 9) for each, asked in ((one, third), (two, fourth))
    )
    assert one.commit(decided, 0.0) == [third]
    assert two.commit(undone, 0.0) == []
    assert two.look() == []
    assert one.end(third) == []
    assert two.look() == [fourth]


def test_slots_go_round_between_instances(tmp_path: Path) -> None:
    """One instance has many requests of one key, the other has one of another key, which is not
    served last."""
    one, two = Instance(tmp_path, 1), Instance(tmp_path, 1)
    running = one.ask(ticket("flood"))
    flood = [one.ask(ticket("flood")) for _ in range(3)]
    alone = two.ask(ticket("alone"))
    assert one.end(running) == [flood[0]]
    # As many turns as keys that wait: now it is the other's.
    assert one.end(flood[0]) == []
    assert two.look() == [alone]
    assert two.end(alone) == []
    assert one.look() == [flood[1]]


def test_who_sleeps_is_not_waited_for(tmp_path: Path) -> None:
    one, two = Instance(tmp_path, 1), Instance(tmp_path, 1)
    running = two.ask(ticket())
    first, later = one.ask(ticket()), two.ask(ticket())
    # Row 0 is next, and does nothing.
    assert two.end(running, 1.0) == []
    assert two.look(1.01) == []
    assert two.look(1.2) == [later]
    assert not first.is_decided


def test_who_waits_for_something_else_keeps_nobody_from_a_slot(tmp_path: Path) -> None:
    """Its node has room, so it must be waiting for its key's limit."""
    one, two = Instance(tmp_path, 3), Instance(tmp_path, 3)
    alice = Cap(UseRules("key", "alice", (), parallel=1, waits=True), Seats())
    one.ask(ticket("alice", caps=(alice,)))
    assert not one.ask(ticket("alice", caps=(alice,))).is_decided
    assert two.ask(ticket("bob")).slot is not None


def test_nothing_is_owed_and_no_queue_is_full_once_nobody_waits_elsewhere(tmp_path: Path) -> None:
    one, two = Instance(tmp_path, 1), Instance(tmp_path, 1)
    running = two.ask(ticket())
    first = one.ask(ticket())
    assert two.ask(ticket(), most=1).rejection is Rejection.QUEUE_FULL
    assert two.end(running) == []
    two.shared.read_for(ticket(), 0.0)
    assert two.admission.states["n"].owed
    one.admission.cancel(first, 0.0)
    one.commit([], 0.0)
    assert two.ask(ticket()).slot is not None
    assert not two.admission.states["n"].owed
    assert two.admission.waiting_elsewhere == {}


class Reads(HostTable):
    """Counts the reads of others' rows."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.reads: Counter[str] = Counter()
        self.names: dict[int, str] = {}

    def column(self, name: str) -> int | None:
        column = super().column(name)
        if column is not None:
            self.names[column] = name
        return column

    def count_elsewhere(self, column: int) -> int:
        self.reads[self.names[column]] += 1
        return super().count_elsewhere(column)


@pytest.mark.parametrize(
    ("limit", "reads"),
    [
        (None, {"waiting": 1, "node n": 1}),
        (9, {"waiting": 1, "node n": 2}),
    ],
)
def test_where_nobody_waits_a_request_reads_no_more_than_it_must(
    tmp_path: Path, limit: int | None, reads: dict[str, int]
) -> None:
    """It reads its node's count once before it gets a slot, if the slot may be the last, and once
    after."""
    table, other = Reads(tmp_path), HostTable(tmp_path)
    admission = Admission()
    admission.states["n"] = NodeState("n", limit=limit)
    shared = SharedSlots(admission, table)
    shared.refresh(0.0)
    table.reads.clear()
    asked = ticket()
    shared.read_for(asked, 0.0)
    assert shared.commit(admission.enqueue(asked, 0.0, 9), 0.0) == [asked]
    assert asked.slot is not None
    admission.release(asked.slot, 0.0)
    shared.publish_slot(asked.slot)
    assert table.reads == reads
    other.close()
    table.close()


def test_a_killed_instance_leaves_its_slots(tmp_path: Path) -> None:
    one, two = Instance(tmp_path, 1), Instance(tmp_path, 1)
    assert two.ask(ticket()).slot is not None
    waiting = one.ask(ticket())
    assert not one.shared.refresh(0.0)
    os.close(two.table._locks)
    assert one.shared.refresh(1.0)
    assert one.look(1.0) == [waiting]
    assert one.admission.running_elsewhere == {}


def test_no_room_in_the_table_is_as_if_there_were_no_others(tmp_path: Path) -> None:
    one, two = (Instance(tmp_path, 1, max_columns=0) for _ in range(2))
    assert one.ask(ticket()).slot is not None
    assert two.ask(ticket()).slot is not None


async def test_a_request_that_waits_learns_of_a_slot_that_another_instance_leaves(
    tmp_path: Path,
) -> None:
    loop = asyncio.get_running_loop()
    one, two = Slots(loop), Slots(loop)
    for slots in (one, two):
        slots.share(await asyncio.to_thread(HostTable, tmp_path))
        slots.states["n"] = NodeState("n", limit=1)  # type: ignore[index]
    first, second = ticket(), ticket()
    one.enqueue(first, 9)
    two.enqueue(second, 9)
    assert first.slot is not None
    waiting = asyncio.ensure_future(two.wait(second, 30.0))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await two.wait(ticket(), 0.0)
    one.cancel(first)
    slot = await waiting
    assert slot.state.in_flight == 1
    two.release(slot)
    one.close()
    two.close()
