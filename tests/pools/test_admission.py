"""Slots and waiting requests, with every order of events."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from casedesk_proxy.pools.admission import Admission, Rejection, Ticket
from casedesk_proxy.pools.caps import Cap, Seats
from casedesk_proxy.pools.circuit_breaker import NodeFault
from casedesk_proxy.pools.node import NodeState, Slot
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.terms import UseRules
from tests.fixtures.effort import examples

NODES = ("x", "y", "z")
ANY = Demand("least-streams", NODES)


def one_slot(*names: str) -> Admission:
    admission = Admission()
    for name in names:
        admission.states[name] = NodeState(name, limit=1)
    return admission


def ticket(key: str = "t", demand: Demand = ANY, deployment: str = "d") -> Ticket:
    return Ticket(deployment, key, demand)


def test_a_free_slot_is_given_at_once() -> None:
    admission, asked = one_slot("x"), ticket()
    assert admission.enqueue(asked, 0.0, 10) == [asked]
    assert asked.slot is not None
    assert admission.states["x"].in_flight == 1


def test_a_slot_that_frees_goes_to_the_first_in_line() -> None:
    admission = one_slot("x")
    first, second, third = ticket(), ticket(), ticket()
    for one in (first, second, third):
        admission.enqueue(one, 0.0, 10)
    assert admission.waiting("d") == 2
    assert first.slot is not None
    assert admission.release(first.slot, 1.0) == [second]
    assert second.slot is not None
    assert third.slot is None


def test_what_another_instance_took_at_once_is_waited_for() -> None:
    admission = one_slot("x")
    first, second = ticket("a"), ticket("b")
    admission.enqueue(first, 0.0, 10)
    admission.enqueue(second, 0.0, 10)
    admission.retract(first, 1.0)
    assert not first.is_decided
    assert admission.states["x"].in_flight == 0
    assert admission.wanted == set(NODES)
    assert [(name, list(queue.order())) for name, queue in admission.queues] == [
        ("d", [first, second])
    ]
    assert admission.serve_waiting(2.0) == [first]
    admission.cancel(second, 3.0)
    assert admission.wanted == set()


def test_what_other_instances_have_counts() -> None:
    admission = one_slot("x")
    admission.states["x"].elsewhere = 1
    admission.waiting_elsewhere["d"] = 9
    waiting, refused = ticket(), ticket()
    assert admission.enqueue(waiting, 0.0, 10) == []
    assert admission.enqueue(refused, 0.0, 10) == [refused]
    assert refused.rejection is Rejection.QUEUE_FULL
    admission.states["x"].elsewhere, admission.states["x"].owed = 0, True
    assert admission.serve_waiting(1.0) == []
    admission.states["x"].owed = False
    assert admission.serve_waiting(1.0) == [waiting]


def test_how_far_each_is_from_the_front() -> None:
    admission = one_slot("x")
    asked = [ticket(key) for key in ("t", "a", "a", "b")]
    for one in (*asked, elsewhere := ticket(deployment="e")):
        admission.enqueue(one, 0.0, 10)
    _, first, third, second = (id(one) for one in asked)
    assert admission.places() == {first: 1, second: 2, third: 3, id(elsewhere): 1}


def test_what_is_about_something_there_waits_for_no_room() -> None:
    admission = one_slot("x")
    admission.enqueue(ticket(), 0.0, 10)
    about = ticket(demand=Demand("ordered", ("x",), is_about=True))
    assert admission.enqueue(about, 0.0, 10) == [about]
    assert about.slot is not None
    assert admission.states["x"].in_flight == 2


def test_one_that_leaves_the_queue_is_gone_at_once() -> None:
    admission = one_slot("x")
    holder, leaver = ticket(), ticket()
    admission.enqueue(holder, 0.0, 10)
    admission.enqueue(leaver, 0.0, 10)
    assert admission.cancel(leaver, 0.0) == []
    assert admission.waiting("d") == 0
    assert not admission.has_waiting


def test_one_that_leaves_as_its_slot_comes_passes_it_on() -> None:
    admission = one_slot("x")
    holder, leaver, next_one = ticket(), ticket(), ticket()
    for one in (holder, leaver, next_one):
        admission.enqueue(one, 0.0, 10)
    assert holder.slot is not None
    admission.release(holder.slot, 1.0)
    assert admission.cancel(leaver, 1.0) == [next_one]
    assert admission.cancel(leaver, 1.0) == [], "once is enough"
    assert admission.states["x"].in_flight == 1


def test_beyond_max_waiting_whoever_has_most_waiting_is_refused() -> None:
    admission = one_slot("x")
    tickets = [ticket("greedy") for _ in range(4)]
    for one in tickets[:3]:
        admission.enqueue(one, 0.0, 2)
    assert admission.enqueue(tickets[3], 0.0, 2) == [tickets[3]]
    assert tickets[3].rejection is Rejection.QUEUE_FULL
    modest = ticket("modest")
    assert admission.enqueue(modest, 0.0, 2) == [tickets[2]]
    assert tickets[2].rejection is Rejection.QUEUE_FULL
    assert not modest.is_decided
    assert admission.waiting("d") == 2


def test_no_queue_at_all() -> None:
    admission = one_slot("x")
    admission.enqueue(ticket(), 0.0, 0)
    asked = ticket()
    admission.enqueue(asked, 0.0, 0)
    assert asked.rejection is Rejection.QUEUE_FULL
    assert not admission.has_waiting


def test_one_that_could_use_a_free_slot_does_not_wait_for_those_that_cannot() -> None:
    admission = one_slot("x", "y")
    on_x = Demand("ordered", ("x",))
    admission.enqueue(ticket(demand=on_x), 0.0, 10)
    admission.enqueue(ticket(demand=on_x), 0.0, 10)
    asked = ticket(demand=Demand("ordered", ("y",)))
    admission.enqueue(asked, 0.0, 10)
    assert asked.slot is not None


def test_deployments_that_share_a_node_take_turns() -> None:
    admission = one_slot("x")
    holder = ticket()
    admission.enqueue(holder, 0.0, 10)
    waiting = [ticket(deployment=name) for name in ("d", "d", "d", "e", "e")]
    for one in waiting:
        admission.enqueue(one, 0.0, 10)
    assert holder.slot is not None
    order, slot = [], holder.slot
    for _ in waiting:
        (served,) = admission.release(slot, 1.0)
        assert served.slot is not None
        order.append(served.deployment)
        slot = served.slot
    assert order == ["d", "e", "d", "e", "d"]


def test_nodes_that_all_go_away_refuse_who_waits() -> None:
    admission = one_slot("x")
    holder, waiter = ticket(), ticket()
    admission.enqueue(holder, 0.0, 10)
    admission.enqueue(waiter, 0.0, 10)
    state = admission.states["x"]
    state.draining = state.gone = True
    assert admission.serve_waiting(1.0) == [waiter]
    assert waiter.rejection is Rejection.NO_NODE
    assert holder.slot is not None
    admission.release(holder.slot, 2.0)
    assert admission.states == {}, "what it had is finished"


def test_a_node_that_drains_by_configuration_stays_known() -> None:
    admission = one_slot("x")
    holder = ticket()
    admission.enqueue(holder, 0.0, 10)
    admission.states["x"].draining = True
    assert holder.slot is not None
    admission.release(holder.slot, 1.0)
    assert set(admission.states) == {"x"}


def test_time_alone_is_told() -> None:
    admission = one_slot("x")
    admission.states["x"].record_overload(0.0, 3.0, "")
    waiter = ticket()
    assert admission.enqueue(waiter, 0.0, 10) == []
    assert admission.next_change(0.0) == 3.0
    assert admission.serve_waiting(2.9) == []
    assert admission.serve_waiting(3.0) == [waiter]
    assert admission.next_change(3.0) is None


def test_where_the_last_healthy_node_goes_on_trial_nobody_waits_for_another() -> None:
    admission = Admission()
    for name in ("x", "y"):
        admission.states[name] = NodeState(name)
        admission.states[name].record_failure(0.0, NodeFault.UNREACHABLE, "x")
    admission.states["y"].record_overload(1.0, 2.0, "m")
    both = ("x", "y")
    on_x, waiter, on_y = (
        ticket(demand=Demand("ordered", names, model=model))
        for names, model in ((("x",), "m"), (both, "m"), (both, "n"))
    )
    assert admission.enqueue(on_x, 1.0, 10) == [on_x]
    assert admission.enqueue(waiter, 1.0, 10) == []
    assert admission.enqueue(on_y, 1.0, 10) == [on_y, waiter]
    assert waiter.slot is not None
    assert waiter.slot.state.name == "x"


def test_a_trial_that_begins_from_the_queue_serves_those_before_it_too() -> None:
    admission = Admission()
    for name in ("x", "y"):
        admission.states[name] = NodeState(name)
        admission.states[name].record_failure(0.0, NodeFault.UNREACHABLE, "x")
    admission.states["y"].record_overload(1.0, 9.0, "m")
    admission.states["y"].record_overload(1.0, 2.0, "n")
    both = ("x", "y")
    on_x, first, second = (
        ticket(demand=Demand("ordered", names, model=model))
        for names, model in ((("x",), "m"), (both, "m"), (both, "n"))
    )
    assert admission.enqueue(on_x, 1.0, 10) == [on_x]
    assert admission.enqueue(first, 1.0, 10) == []
    assert admission.enqueue(second, 1.0, 10) == []
    assert admission.serve_waiting(3.0) == [second, first], "no node is healthy, hence any"
    assert first.slot is not None
    assert first.slot.state.name == "x"


def test_hints_follow_how_fast_the_queue_moves() -> None:
    admission = one_slot("x")
    assert admission.retry_after("d", 0.0) == 1.0
    holder = ticket()
    admission.enqueue(holder, 0.0, 10)
    queued = [ticket() for _ in range(5)]
    for one in queued:
        admission.enqueue(one, 0.0, 10)
    assert holder.slot is not None
    admission.release(holder.slot, 10.0)
    assert admission.retry_after("d", 10.0) == 50.0
    assert admission.retry_after("d", 1e6) == 60.0


def capped(key: str, parallel: int, *, waits: bool, seats: Seats | None = None) -> Ticket:
    rules = UseRules("key", key, (), parallel, waits)
    return Ticket("d", key, ANY, caps=(Cap(rules, seats or Seats()),))


def test_beyond_its_parallel_requests_a_key_is_refused_though_slots_are_free() -> None:
    admission, seats = one_slot("x", "y"), Seats()
    first, second = (capped("a", 1, waits=False, seats=seats) for _ in range(2))
    admission.enqueue(first, 0.0, 10)
    assert seats.taken == 1
    assert admission.enqueue(second, 0.0, 10) == [second]
    assert second.rejection is Rejection.PARALLEL
    assert second.reached is second.caps[0]
    assert first.slot is not None
    admission.release(first.slot, 1.0)
    assert seats.taken == 0
    third = capped("a", 1, waits=False, seats=seats)
    admission.enqueue(third, 1.0, 10)
    assert third.slot is not None


def test_one_that_waits_for_a_seat_gets_one_that_is_added() -> None:
    admission, seats = one_slot("x", "y", "z"), Seats()
    first, second, third = (capped("a", 1, waits=True, seats=seats) for _ in range(3))
    for one in (first, second, third):
        admission.enqueue(one, 0.0, 10)
    assert admission.serve_waiting(1.0) == []
    seats.most = 2
    assert admission.serve_waiting(2.0) == [second]
    assert (second.slot is not None, third.slot) == (True, None)


def test_what_runs_at_other_instances_counts_for_its_parallel_requests() -> None:
    admission = one_slot("x", "y")
    admission.running_elsewhere["key", "a"] = 1
    refused, other = capped("a", 1, waits=False), capped("b", 1, waits=False)
    for one in (refused, other):
        admission.enqueue(one, 0.0, 10)
    assert refused.rejection is Rejection.PARALLEL
    assert other.slot is not None


def test_or_it_waits_for_its_own_and_holds_up_nobody_else() -> None:
    admission = one_slot("x", "y", "z")
    seats = Seats()
    first, second = (capped("a", 1, waits=True, seats=seats) for _ in range(2))
    admission.enqueue(first, 0.0, 10)
    assert admission.enqueue(second, 0.0, 10) == []
    other = ticket("b")
    assert admission.enqueue(other, 0.0, 10) == [other]
    assert other.slot is not None
    assert admission.release(other.slot, 1.0) == [], "it is not a slot that is missing"
    assert first.slot is not None
    assert admission.release(first.slot, 2.0) == [second]
    assert second.slot is not None


class Interleaving(RuleBasedStateMachine):
    """Requests arrive, finish, are cancelled or refused, and nodes fail, recover, drain and change
    their size, in any order, while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.admission = Admission()
        self.waiting: list[Ticket] = []
        self.holding: list[Ticket] = []
        #: For each waiting ticket, who was served meanwhile a slot that it could have used.
        self.overtaken: dict[Ticket, list[str]] = {}

    @initialize(limits=st.tuples(*[st.none() | st.integers(1, 3)] * 3))
    def begin(self, limits: tuple[int | None, ...]) -> None:
        for name, limit in zip(NODES, limits, strict=True):
            self.admission.states[name] = NodeState(name, limit=limit)

    def take(self, decided: list[Ticket]) -> None:
        for one in decided:
            assert one.is_decided
            assert (one.slot is None) is not (one.rejection is None)
            assert one in self.waiting, "decided once"
            self.waiting.remove(one)
            self.overtaken.pop(one, None)
            if one.slot is not None:
                self.holding.append(one)
                for other, keys in self.overtaken.items():
                    if (
                        other.deployment == one.deployment
                        and self.could_use(other, one.slot)
                        and self.is_first(other)
                    ):
                        keys.append(one.key)

    def could_use(self, asked: Ticket, slot: Slot) -> bool:
        """An unhealthy node is only for requests that have no healthy one."""
        names = [name for name in asked.demand.nodes if name in self.admission.states]
        staying = [one for name in names if not (one := self.admission.states[name]).draining]
        healthy = [
            one
            for one in staying
            if one.is_healthy(self.now) or (one is slot.state and slot.is_trial)
        ]
        free = not slot.state.full_until.get(asked.demand.model, 0.0) > self.now
        return slot.state in (healthy or staying) and free

    def is_first(self, asked: Ticket) -> bool:
        return asked is next(
            one
            for one in self.waiting
            if (one.key, one.deployment) == (asked.key, asked.deployment)
        )

    @rule(
        key=st.sampled_from("abc"),
        deployment=st.sampled_from("de"),
        names=st.sets(st.sampled_from(NODES), min_size=1),
        policy=st.sampled_from(["least-streams", "ordered", "round-robin", "prefix-affinity"]),
        most=st.integers(0, 5),
        model=st.sampled_from(["m", "n"]),
    )
    def arrive(
        self, key: str, deployment: str, names: set[str], policy: str, most: int, model: str
    ) -> None:
        asked = Ticket(deployment, key, Demand(policy, tuple(sorted(names)), model=model))
        self.waiting.append(asked)
        self.take(self.admission.enqueue(asked, self.now, most))
        if not asked.is_decided:
            self.overtaken[asked] = []

    @precondition(lambda self: self.holding)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        one = self.holding.pop(data.draw(st.integers(0, len(self.holding) - 1)))
        assert one.slot is not None
        self.take(self.admission.release(one.slot, self.now))

    @precondition(lambda self: self.holding)
    @rule(data=st.data(), fault=st.sampled_from(list(NodeFault)))
    def fail(self, data: st.DataObject, fault: NodeFault) -> None:
        one = self.holding.pop(data.draw(st.integers(0, len(self.holding) - 1)))
        assert one.slot is not None
        one.slot.state.record_failure(self.now, fault, "x")
        self.take(self.admission.release(one.slot, self.now))

    @precondition(lambda self: self.holding or self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        everyone = [*self.holding, *self.waiting]
        one = everyone[data.draw(st.integers(0, len(everyone) - 1))]
        (self.holding if one in self.holding else self.waiting).remove(one)
        self.overtaken.pop(one, None)
        self.take(self.admission.cancel(one, self.now))

    @rule(
        name=st.sampled_from(NODES),
        step=st.sampled_from(["heal", "refuse", "drain", "stay"]),
        model=st.sampled_from(["m", "n"]),
    )
    def change(self, name: str, step: str, model: str) -> None:
        state = self.admission.states.get(name)
        if state is None:
            return
        if step == "heal":
            state.breaker.record_success()
        elif step == "refuse":
            state.record_overload(self.now, 2.0, model)
        else:
            state.draining = step == "drain"
        self.take(self.admission.serve_waiting(self.now))

    @rule(name=st.sampled_from(NODES), limit=st.none() | st.integers(1, 4))
    def resize(self, name: str, limit: int | None) -> None:
        state = self.admission.states.setdefault(name, NodeState(name))
        state.limit = limit
        self.take(self.admission.serve_waiting(self.now))

    @rule(seconds=st.floats(0, 20))
    def pass_time(self, seconds: float) -> None:
        """Let time pass as a caller does: with a timer at every change that time alone makes."""
        end = self.now + seconds
        while (change := self.admission.next_change(self.now)) is not None and change <= end:
            self.now = change
            self.take(self.admission.serve_waiting(self.now))
        self.now = end

    @invariant()
    def counts_are_true(self) -> None:
        for name, state in self.admission.states.items():
            held = [one for one in self.holding if one.slot and one.slot.state is state]
            assert state.in_flight == len(held), name
        slots: list[Slot] = [one.slot for one in self.holding if one.slot]
        assert len(set(slots)) == len(slots)
        for deployment in "de":
            queued = [one for one in self.waiting if one.deployment == deployment]
            assert self.admission.waiting(deployment) == len(queued)

    @invariant()
    def no_wake_up_is_lost(self) -> None:
        assert self.admission.serve_waiting(self.now) == []

    @invariant()
    def nobody_is_overtaken_twice_by_the_same_key(self) -> None:
        for keys in self.overtaken.values():
            assert len(keys) == len(set(keys))


Interleaving.TestCase.settings = settings(examples(150), stateful_step_count=40)
TestInterleaving = Interleaving.TestCase
