"""Slots that the instances of a host share: reads what the others use, publishes what this one
uses.

`pools.admission` decides by what the others used a moment ago; its decision is published, and the
others' use is read again. If two instances took the last slot at once, both notice and return it,
and their requests wait for a few milliseconds. So a node never has more requests than its capacity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from casedesk_proxy.pools.admission import Admission, Ticket
from casedesk_proxy.pools.caps import Cap
from casedesk_proxy.pools.host_turns import HostTurns
from casedesk_proxy.pools.node import NodeState, Slot

__all__ = ["Counts", "SharedSlots"]

#: The column with the number of requests that wait at an instance, for all deployments.
_WAITING = "waiting"


class Counts(Protocol):
    """The table of `instances.table.HostTable`."""

    row: int
    own: memoryview[int]

    @property
    def others(self) -> tuple[int, ...]: ...

    def column(self, name: str) -> int | None: ...

    def publish(self, column: int, count: int) -> int: ...

    def count_elsewhere(self, column: int) -> int: ...

    def stamp(self, column: int, stamp: float) -> None: ...

    def stamps(self, column: int) -> list[tuple[float, int]]: ...

    def bury(self) -> bool: ...


class SharedSlots:
    """Call ``read_for`` or ``read_all`` before a decision, ``commit`` after it."""

    def __init__(self, admission: Admission, table: Counts) -> None:
        self._admission = admission
        self._table = table
        self._turns = HostTurns(table.row)
        self._columns: dict[str, int] = {}
        self._node_columns: dict[str, int] = {}
        #: Nodes for which this instance has published that requests wait here.
        self._stamped: set[str] = set()
        #: Deployments for which this instance has published that requests wait here.
        self._queued: set[str] = set()
        #: Whether there is another instance, and whether requests wait there, at the last reading.
        self._has_others = True
        self._others_wait = True

    @property
    def has_others(self) -> bool:
        return bool(self._table.others)

    def read_for(self, ticket: Ticket, now: float) -> None:
        """Read what matters for one ticket."""
        self._has_others = bool(self._table.others)
        if not self._has_others:
            return
        admission, nodes = self._admission, ticket.demand.nodes
        others_wait = self._read_waiting()
        for name in nodes:
            state = admission.states.get(name)
            if state is None:
                continue
            if others_wait:
                self._read_node(state, now)
            elif state.capacity is not None or len(nodes) > 1:
                # Otherwise it is taken, whatever the others use there.
                column = self._find_node(name)
                state.elsewhere = 0 if column is None else self._table.count_elsewhere(column)
        for cap in ticket.caps:
            self._read_cap(cap.which)
        if others_wait:
            elsewhere = self._count_elsewhere(f"queue {ticket.deployment}")
            admission.waiting_elsewhere[ticket.deployment] = elsewhere

    def read_all(self, now: float) -> bool:
        """Read what matters for all tickets that wait here; return whether one of them may get a
        slot now."""
        states, admission, found = self._admission.states, self._admission, False
        self._has_others = bool(self._table.others)
        self._read_waiting()
        for name in admission.wanted:
            if (state := states.get(name)) is not None:
                self._read_node(state, now)
                found = found or not state.is_full(now)
        for which in admission.running_elsewhere:
            self._read_cap(which)
        return found

    def commit(self, decided: list[Ticket], now: float) -> list[Ticket]:
        """Publish decisions. Returns the tickets whose decision holds; the others wait again."""
        kept = decided
        for ticket in decided:
            slot = ticket.slot
            if slot is not None and not self._holds(ticket, slot):
                self._admission.retract(ticket, now)
                self.publish_slot(slot)
                kept = [one for one in kept if one is not ticket]
        if self._queued or self._admission.has_waiting:
            self._publish_waiting(now)
        return kept

    def publish_slot(self, slot: Slot) -> None:
        """Publish that ``slot`` was returned."""
        state = slot.state
        column = self._node_columns.get(state.name)
        if column is not None:
            self._table.own[column] = state.in_flight
        for cap in slot.caps:
            self._publish(" ".join(cap.which), cap.seats.taken)

    def refresh(self, now: float) -> bool:
        """To be called regularly. Returns whether an instance has ended without notice since the
        last call."""
        found = self._table.bury()
        self._read_waiting()
        for state in self._admission.states.values():
            self._read_node(state, now)
        if not self._table.others:
            self._admission.running_elsewhere.clear()
        return found

    # Reading.

    def _read_waiting(self) -> bool:
        """Whether requests wait at another instance: only then turns and queues matter."""
        column = self._columns.get(_WAITING)
        if column is None:
            column = self._find(_WAITING)
        # Without a column in the table no instance can publish it.
        waiting = 0 if column is None else self._table.count_elsewhere(column)
        if not waiting and self._others_wait:
            self._admission.waiting_elsewhere.clear()
            self._turns.forget()
            for state in self._admission.states.values():
                state.owed = False
        self._others_wait = waiting > 0
        return self._others_wait

    def _read_node(self, state: NodeState, now: float) -> None:
        column = self._find_node(state.name) if self._table.others else None
        if column is None:
            state.elsewhere, state.owed = 0, False
            return
        state.elsewhere = self._table.count_elsewhere(column)
        if not self._others_wait:
            return
        capacity = state.capacity
        state.owed = self._turns.is_owed(
            state.name, self._table.stamps(column), now,
            waits=state.name in self._stamped, room=capacity is None or state.load < capacity,
        )  # fmt: skip

    def _read_cap(self, which: tuple[str, str]) -> None:
        self._admission.running_elsewhere[which] = self._count_elsewhere(" ".join(which))

    def _holds(self, ticket: Ticket, slot: Slot) -> bool:
        """Publish that the slot is taken; returns whether no other instance took it at the same
        time."""
        state = slot.state
        column = self._node_columns.get(state.name) or self._find_node(state.name)
        if column is not None and not self._has_others:
            self._table.own[column] = state.in_flight
        elif column is not None:
            state.elsewhere = elsewhere = self._table.publish(column, state.in_flight)
            room = state.capacity
            is_beyond = room is not None and elsewhere > 0 and state.in_flight + elsewhere > room
            # The limits' counts are published when the slot is returned.
            if is_beyond and not ticket.demand.is_about:
                return False
        if slot.caps and not self._keeps_limits(slot.caps):
            return False
        if self._others_wait and column is not None and self._table.stamps(column):
            self._turns.count(sum(queue.keys for _, queue in self._admission.queues))
        return True

    def _keeps_limits(self, caps: Sequence[Cap]) -> bool:
        """Publish the use of limits on parallel requests; returns whether they are kept, as
        `_holds`."""
        running_elsewhere, found = self._admission.running_elsewhere, True
        for cap in caps:
            which, taken = cap.which, cap.seats.taken
            elsewhere = running_elsewhere[which] = self._publish(" ".join(which), taken)
            if elsewhere and taken + elsewhere > cap.seats.most:
                found = False
        return found

    def _count_elsewhere(self, name: str) -> int:
        column = self._find(name)
        return 0 if column is None else self._table.count_elsewhere(column)

    # Writing.

    def _publish_waiting(self, now: float) -> None:
        queued, waiting = set(), 0
        for name, queue in self._admission.queues:
            self._publish(f"queue {name}", len(queue))
            queued.add(name)
            waiting += len(queue)
        for name in self._queued - queued:
            self._publish(f"queue {name}", 0)
        self._queued = queued
        self._stamp(self._admission.wanted, now)
        self._publish(_WAITING, waiting)

    def _stamp(self, wanted: Iterable[str], now: float) -> None:
        states = self._admission.states
        # If a node has room, requests that wait here wait for something else.
        names = {name for name in wanted if name in states and states[name].is_full(now)}
        if names and not self._stamped:
            stamps = [self._table.stamps(column) for column in self._find_all(names)]
            self._turns.join([one for some in stamps for one in some])
        for column in self._find_all(self._stamped - names):
            self._table.stamp(column, 0.0)
        for column in self._find_all(names):
            self._table.stamp(column, self._turns.time)
        self._stamped = names

    def _publish(self, name: str, count: int) -> int:
        """How many the other instances have."""
        column = self._find(name)
        return 0 if column is None else self._table.publish(column, count)

    def _find(self, name: str) -> int | None:
        column = self._columns.get(name)
        if column is None:
            column = self._table.column(name)
            if column is not None:
                self._columns[name] = column
        return column

    def _find_node(self, name: str) -> int | None:
        column = self._node_columns.get(name)
        if column is None and (column := self._find(f"node {name}")) is not None:
            self._node_columns[name] = column
        return column

    def _find_all(self, names: Iterable[str]) -> list[int]:
        found = (self._find_node(name) for name in names)
        return [column for column in found if column is not None]
