"""Slots at nodes, and the requests that wait for them: decisions only.

Each method returns the tickets that it decided, which now have a ``slot`` or a ``rejection``; the
caller wakes them. After each call no waiting ticket could be served: whatever may free a slot or
heal a node must be reported by calling a method, and for the passing of time ``serve_waiting`` must
be called at ``next_change``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from casedesk_proxy.pools.caps import Cap
from casedesk_proxy.pools.node import NodeState, Service, Slot
from casedesk_proxy.pools.policies import Demand, choose, is_hopeless
from casedesk_proxy.pools.queue import FairQueue

__all__ = ["Admission", "Rejection", "Ticket"]

#: The weight of a new observation in the moving average of the pause between two grants.
_PAUSE_WEIGHT = 0.2
#: Seconds for Retry-After: the least, the most, and the value before any observation.
_MIN_RETRY_S, _MAX_RETRY_S, _FIRST_RETRY_S = 1.0, 60.0, 2.0


class Rejection(StrEnum):
    #: So many wait already that it would wait in vain.
    QUEUE_FULL = "queue_full"
    #: Every node that could serve it is being drained.
    NO_NODE = "no_node"
    #: Its key or its deployment has as many requests at nodes as it may have.
    PARALLEL = "parallel"


@dataclass(slots=True, eq=False)
class Ticket:
    """One request that needs a slot. Undecided while both ``slot`` and ``rejection`` are None.
    ``caps``: limits on parallel requests; ``reached``: the limit for which it was rejected."""

    deployment: str
    key: str
    demand: Demand
    caps: tuple[Cap, ...] = ()
    slot: Slot | None = None
    rejection: Rejection | None = None
    reached: Cap | None = None

    @property
    def is_decided(self) -> bool:
        return self.slot is not None or self.rejection is not None


class _DeploymentQueue:
    """A deployment's queue, and how fast it moves."""

    __slots__ = ("granted_at", "pause_s", "queue")

    def __init__(self, now: float) -> None:
        self.queue: FairQueue[Ticket] = FairQueue()
        self.granted_at = now
        self.pause_s: float | None = None

    def observe_grant(self, now: float) -> None:
        pause_s, self.granted_at = now - self.granted_at, now
        old_s = pause_s if self.pause_s is None else self.pause_s
        self.pause_s = old_s + _PAUSE_WEIGHT * (pause_s - old_s)


class Admission:
    """``states`` are the nodes by name. Has one owner; survives a reload."""

    def __init__(self) -> None:
        self.states: dict[str, NodeState] = {}
        self._turns: dict[str, int] = {}
        #: The use at other instances of this host: requests that have a slot, by kind and name of
        #: what limits them; and requests that wait, by deployment.
        self.running_elsewhere: dict[tuple[str, str], int] = {}
        self.waiting_elsewhere: dict[str, int] = {}
        #: Deployments with waiting requests, in the order in which they are served next.
        self._waiting: dict[str, _DeploymentQueue] = {}
        #: How many requests wait for one of the same nodes.
        self._wanted: Counter[tuple[str, ...]] = Counter()

    def waiting(self, deployment: str) -> int:
        waiting = self._waiting.get(deployment)
        return len(waiting.queue) if waiting else 0

    def places(self) -> dict[int, int]:
        """How far each ticket is from the front of its deployment's queue, 1 for the next; tickets
        by their identity."""
        return {
            id(ticket): place
            for waiting in self._waiting.values()
            for place, ticket in enumerate(waiting.queue.order(), 1)
        }

    @property
    def has_waiting(self) -> bool:
        return bool(self._waiting)

    @property
    def queues(self) -> Iterator[tuple[str, FairQueue[Ticket]]]:
        """Deployments with waiting requests, and their queues."""
        return ((name, waiting.queue) for name, waiting in self._waiting.items())

    @property
    def wanted(self) -> set[str]:
        """Nodes for which requests wait."""
        return {name for nodes in self._wanted for name in nodes}

    def enqueue(self, ticket: Ticket, now: float, max_waiting: int) -> list[Ticket]:
        """Give the ticket a slot, or a place in the queue, or reject it. It overtakes no other:
        waiting tickets are served first, and those still waiting after that cannot use the slot."""
        decided = self.serve_waiting(now) if self._waiting else []
        reached = self.find_reached(ticket) if ticket.caps else None
        if reached is not None and not reached.rules.waits:
            ticket.rejection, ticket.reached = Rejection.PARALLEL, reached
            return [*decided, ticket]
        if reached is None and self._seat(ticket, now):
            decided.append(ticket)
            return decided + self.serve_waiting(now) if _begins_trial(ticket) else decided
        waiting = self._waiting.get(ticket.deployment) or _DeploymentQueue(now)
        elsewhere = self.waiting_elsewhere.get(ticket.deployment, 0)
        if len(waiting.queue) + elsewhere >= max_waiting:
            loser = waiting.queue.evict_for(ticket.key)
            if loser is None:
                ticket.rejection = Rejection.QUEUE_FULL
                return [*decided, ticket]
            self._forget_demand(loser)
            loser.rejection = Rejection.QUEUE_FULL
            decided.append(loser)
        self._waiting[ticket.deployment] = waiting
        waiting.queue.add(ticket.key, ticket)
        self._wanted[ticket.demand.nodes] += 1
        return decided

    def release(self, slot: Slot, now: float) -> list[Ticket]:
        """Take back the slot of an exchange that has ended."""
        state = slot.state
        self._give_back(slot)
        if state.gone and not state.in_flight and self.states.get(state.name) is state:
            del self.states[state.name]
        return self.serve_waiting(now) if self._waiting else []

    def retract(self, ticket: Ticket, now: float) -> None:
        """Let a ticket wait again, at the front: another instance has taken the slot that it just
        got."""
        assert ticket.slot is not None
        slot, ticket.slot = ticket.slot, None
        self._give_back(slot)
        waiting = self._waiting.get(ticket.deployment) or _DeploymentQueue(now)
        self._waiting = {ticket.deployment: waiting, **self._waiting}
        waiting.queue.put_first(ticket.key, ticket)
        self._wanted[ticket.demand.nodes] += 1

    def cancel(self, ticket: Ticket, now: float) -> list[Ticket]:
        """Drop a ticket whose request has ended, whether it waited or had a slot."""
        if ticket.slot is not None:
            return self.release(ticket.slot, now) if ticket.slot.taken else []
        waiting = self._waiting.get(ticket.deployment)
        if ticket.rejection is None and waiting is not None:
            if waiting.queue.remove(ticket.key, ticket):
                self._forget_demand(ticket)
            self._drop_if_empty(ticket.deployment)
        return []

    def serve_waiting(self, now: float) -> list[Ticket]:
        """Serve the tickets that can be served, after a change of health, limits or time."""
        return list(self._serve(now)) if self._waiting else []

    def next_change(self, now: float) -> float | None:
        """The latest time for the next ``serve_waiting``; None: not before something happens."""
        if not self._waiting:
            return None
        times = (state.next_change(now) for state in self.states.values())
        return min((when for when in times if when is not None), default=None)

    def retry_after(self, deployment: str, now: float) -> float:
        """After how many seconds a refused request may find room, by how fast the queue moved."""
        waiting = self._waiting.get(deployment)
        if waiting is None:
            return _MIN_RETRY_S
        pause = _FIRST_RETRY_S if waiting.pause_s is None else waiting.pause_s
        pause = max(pause, (now - waiting.granted_at) / (len(waiting.queue) + 1))
        return min(max(pause * (len(waiting.queue) + 1), _MIN_RETRY_S), _MAX_RETRY_S)

    def _serve(self, now: float) -> Iterator[Ticket]:
        """Deployments take turns, since they may share nodes."""
        stuck: set[tuple[tuple[str, ...], Service]] = set()

        def serves(ticket: Ticket) -> bool:
            if ticket.caps and self.find_reached(ticket):
                return False
            # If one ticket found no slot, the next one for the same nodes finds none either.
            which = ticket.demand.nodes, ticket.demand.service
            if which in stuck:
                return False
            if self._seat(ticket, now):
                return True
            stuck.add(which)
            return False

        moved = True
        while moved:
            moved = False
            for name in list(self._waiting):
                waiting = self._waiting[name]
                ticket = waiting.queue.take(serves)
                if ticket is None:
                    continue
                moved = True
                self._forget_demand(ticket)
                if ticket.slot is not None:
                    waiting.observe_grant(now)
                if _begins_trial(ticket):
                    stuck.clear()
                del self._waiting[name]
                if len(waiting.queue):
                    self._waiting[name] = waiting
                yield ticket

    def find_reached(self, ticket: Ticket) -> Cap | None:
        """The limit on parallel requests that prevents a slot."""
        elsewhere = self.running_elsewhere
        for cap in ticket.caps:
            seats = cap.seats
            taken = seats.taken
            if elsewhere:
                taken += elsewhere.get(cap.which, 0)
            if taken >= seats.most:
                return cap
        return None

    def _seat(self, ticket: Ticket, now: float) -> bool:
        """Decide the ticket, if nodes have room; returns whether it is decided."""
        demand = ticket.demand
        states = [self.states[name] for name in demand.nodes if name in self.states]
        turn = self._turns.get(ticket.deployment, 0)
        if len(states) == 1 and not states[0].draining:
            # Policy and health do not matter, as there is no other node.
            is_full = states[0].is_full(now, demand.model) and not demand.is_about
            state = None if is_full else states[0]
        elif is_hopeless(states):
            ticket.rejection = Rejection.NO_NODE
            return True
        else:
            state = choose(demand, states, turn, now)
        if state is None:
            return False
        self._turns[ticket.deployment] = turn + 1
        ticket.slot = slot = state.take(now)
        if ticket.caps:
            slot.caps = ticket.caps
            for cap in ticket.caps:
                cap.seats.taken += 1
        return True

    def _give_back(self, slot: Slot) -> None:
        slot.state.release(slot)
        for cap in slot.caps:
            cap.seats.taken -= 1

    def _forget_demand(self, ticket: Ticket) -> None:
        """Stop counting a ticket that no longer waits."""
        nodes = ticket.demand.nodes
        self._wanted[nodes] -= 1
        if not self._wanted[nodes]:
            del self._wanted[nodes]

    def _drop_if_empty(self, deployment: str) -> None:
        if not len(self._waiting[deployment].queue):
            del self._waiting[deployment]


def _begins_trial(ticket: Ticket) -> bool:
    """Whether its node, possibly the last healthy one, is no longer healthy: then the other nodes
    are no worse."""
    return ticket.slot is not None and ticket.slot.is_trial
