"""A node's live state, kept by name across reloads.

Three words with three meanings: a node is *healthy* when its circuit breaker is closed, *full* when
it has as many streams as it may hold (or says so itself), and *available* when it is healthy,
not full and not being emptied. It may be healthy and yet *lack* a service: a model that it has
lost, or a kind of request that it does not take for a model. And it may be *hung*: it sends
nothing and answers no probe, for longer than it is allowed to. That is no fault with a cool-down:
no request should try whether it is over, as it might wait for long. The next sign of life ends it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from casedesk_proxy.pools.circuit_breaker import FAILURE_WINDOW_S, CircuitBreaker, NodeFault
from casedesk_proxy.terms import UseRules

__all__ = ["LiveReply", "NodeState", "Service", "Slot"]

#: What a request asks of a node: a model, and the kind of request.
Service = tuple[str, str]

#: Services of a node whose faults are remembered.
MAX_SERVICES = 64

#: Seconds for which a node counts as sending after it was last heard.
SENDING_WINDOW_S = 5.0
#: Seconds between two looks at a node's streams, for each of them. Who asks sooner gets the result
#: of the last look.
_LOOK_PAUSE_S = 0.0001
#: Seconds for which a node that answers 429 is taken for full: at least, at most.
MIN_FULL_S = 1.0
MAX_FULL_S = 30.0


class LiveReply(Protocol):
    """A reply under way: ``events`` grows whenever the node says something."""

    @property
    def events(self) -> int: ...


@dataclass(slots=True, eq=False)
class Slot:
    """A place at a node, taken by one exchange. Given back exactly once, by ``Admission``.
    ``caps``: the limits on parallel requests that it counts for."""

    state: NodeState
    is_trial: bool
    taken: bool = True
    caps: tuple[UseRules, ...] = ()


@dataclass(slots=True, eq=False)
class NodeState:
    """``limit`` is what the configuration allows, ``slots`` what the engine tells; None: nothing
    bounds its streams. ``in_flight`` counts taken slots, ``served`` those ever taken. ``draining``
    takes nothing new; ``gone`` has left the configuration and is forgotten with its last stream.
    ``elsewhere`` are slots that other instances of this host have; ``owed``: the next one is
    another instance's, where somebody's turn is sooner."""

    name: str
    limit: int | None = None
    slots: int | None = None
    weight: int = 1
    draining: bool = False
    gone: bool = False
    in_flight: int = 0
    served: int = 0
    elsewhere: int = 0
    owed: bool = False
    #: Until when it is full by its own word, by model: quotas are often a model's.
    full_until: dict[str, float] = field(default_factory=dict)
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    #: The services that have failed where the node as a whole has not.
    _service_breakers: dict[Service, CircuitBreaker] = field(default_factory=dict)
    #: Replies under way, each with its events at the last look.
    _streams: dict[LiveReply, int] = field(default_factory=dict)
    #: The last slot whose request is a trial.
    _trial: Slot | None = None
    #: When its streams were last looked at.
    _looked_at: float = float("-inf")
    #: When it last sent something: a reply's head, an answer to a probe, an event.
    last_heard_at: float = float("-inf")
    hung_at: float | None = None

    @property
    def capacity(self) -> int | None:
        """How many streams it may hold; None: any number."""
        return self.slots if self.limit is None else self.limit

    @property
    def load(self) -> int:
        """Requests at the node, of all instances."""
        return self.in_flight + self.elsewhere

    @property
    def hung(self) -> bool:
        return self.hung_at is not None

    @property
    def last_error(self) -> str:
        return self.breaker.last_error

    def is_healthy(self, now: float, service: Service | None = None) -> bool:
        """For a request of that service; without one: at all."""
        return not self.hung and self.breaker.allows_request(now) and not self.lacks(now, service)

    def lacks(self, now: float, service: Service | None) -> bool:
        """Whether it refused that service a moment ago."""
        if not self._service_breakers or service is None:
            return False
        known = self._service_breakers.get(service)
        return known is not None and not known.allows_request(now)

    def lacking(self, now: float) -> list[Service]:
        return [one for one in self._service_breakers if self.lacks(now, one)]

    def is_full(self, now: float, model: str = "") -> bool:
        """For a request of that model; without one: for every model."""
        room = self.capacity
        if self.owed or (room is not None and self.in_flight + self.elsewhere >= room):
            return True
        return bool(self.full_until) and now < self.full_until.get(model, 0.0)

    def full_for(self, now: float) -> list[str]:
        """The models for which it is full by its own word."""
        return [model for model, until in self.full_until.items() if now < until]

    def is_available(self, now: float, model: str = "") -> bool:
        return not self.draining and self.is_healthy(now) and not self.is_full(now, model)

    def next_change(self, now: float) -> float | None:
        """When time alone may make it available, if it ever does."""
        services = (one.open_until for one in self._service_breakers.values())
        times = (*self.full_until.values(), self.breaker.open_until, *services)
        return min((when for when in times if when > now), default=None)

    def take(self, now: float) -> Slot:
        """A slot. The first one after a cool-down is the trial."""
        is_trial = not self.breaker.is_closed() and self.breaker.allows_request(now)
        slot = Slot(self, is_trial)
        if is_trial:
            self.breaker.trial_running, self._trial = True, slot
        self.in_flight += 1
        self.served += 1
        return slot

    def release(self, slot: Slot) -> None:
        assert slot.taken, "a node's exchange ended twice"
        slot.taken = False
        self.in_flight -= 1
        if slot is self._trial:
            self.breaker.trial_running, self._trial = False, None

    def begin_stream(self, stream: LiveReply) -> None:
        self._streams[stream] = 0

    def end_stream(self, stream: LiveReply) -> None:
        self._streams.pop(stream, None)

    def has_resumed(self, now: float) -> bool:
        """Whether a stream of it has moved since it counts as hung."""
        if self.hung_at is None:
            return False
        self.is_sending(now)
        return self.last_heard_at > self.hung_at

    def is_sending(self, now: float) -> bool:
        """Whether a stream of it has moved since the last look, or a moment before that."""
        if now - self._looked_at >= _LOOK_PAUSE_S * len(self._streams):
            self._looked_at = now
            self._look(now)
        return bool(self._streams) and now - self.last_heard_at < SENDING_WINDOW_S

    def _look(self, now: float) -> None:
        for stream, seen in self._streams.items():
            if stream.events != seen:
                self._streams[stream] = stream.events
                self.last_heard_at = now

    def record_failure(self, now: float, fault: NodeFault, error: str) -> None:
        """Count a fault of the node. While tokens flow from it, none counts: a probe
        that times out or a full backlog is then the load's doing (sglang 22511)."""
        if self.is_sending(now):
            self.breaker.note_error(now, error)
        else:
            self.breaker.record_failure(now, fault, error)

    def record_head(self, service: Service | None = None) -> None:
        """A request got its reply's head."""
        self.breaker.record_head()
        if self._service_breakers and service is not None:
            self._service_breakers.pop(service, None)

    def record_service_failure(
        self, now: float, service: Service, fault: NodeFault, error: str
    ) -> bool:
        """Count a fault of one service alone. Returns whether it is lacking from now on,
        and was not before."""
        self.breaker.note_error(now, error)
        known = self._service_breakers.get(service)
        if known is None:
            known = CircuitBreaker()
            self._service_breakers = {**self._recent(now), service: known}
        well = known.is_closed()
        known.record_failure(now, fault, error)
        return well and not known.is_closed()

    def _recent(self, now: float) -> dict[Service, CircuitBreaker]:
        """The services without those of which nothing was heard for long. Their names are the
        clients', so that there are never many."""
        kept = [
            (name, one)
            for name, one in self._service_breakers.items()
            if now - one.failed_at < FAILURE_WINDOW_S
        ]
        return dict(kept[1 - MAX_SERVICES :])

    def clear_denials(self) -> None:
        """Forget its refusals: the key or the model may be right now."""
        self.breaker.clear_denial()
        self._service_breakers = {}

    def record_overload(self, now: float, retry_after: float | None, model: str) -> None:
        """It answered 429: it is full for that model, whatever we count."""
        current = {name: when for name, when in self.full_until.items() if when > now}
        current[model] = now + min(max(retry_after or 0.0, MIN_FULL_S), MAX_FULL_S)
        self.full_until = current
