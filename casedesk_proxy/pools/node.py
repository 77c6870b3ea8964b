"""A node's live state, kept by name across reloads.

Three terms: a node is *healthy* when its circuit breaker is closed, *full* when it has as many
streams as its capacity (or reports that it is full), and *available* when it is healthy, not full
and not being drained. A healthy node may *lack* a service: a model that it has lost, or a kind of
request that it does not accept for a model. And a node may be *hung*: it sends nothing and answers
no probe for longer than allowed. Hung is not a fault with a cool-down, since a trial request might
wait for long; the next reply, answer or event ends it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from casedesk_proxy.pools.caps import Cap
from casedesk_proxy.pools.circuit_breaker import FAILURE_WINDOW_S, CircuitBreaker, NodeFault

__all__ = ["LiveReply", "NodeState", "Service", "Slot"]

#: What a request needs of a node: a model, and the kind of request.
Service = tuple[str, str]

#: How many services of a node have remembered faults.
MAX_SERVICES = 64

#: Seconds for which a node counts as sending after it was last heard.
SENDING_WINDOW_S = 5.0
#: Streams of a node that one check covers, in turn: if there are thousands, each is a cache miss.
_SEEN_PER_LOOK = 256
#: Seconds between two checks of a node's streams, for each stream. A caller that comes sooner gets
#: the result of the last check.
_LOOK_PAUSE_S = 0.0001
#: Seconds for which a node that answers 429 counts as full: at least, at most.
MIN_FULL_S = 1.0
MAX_FULL_S = 30.0


class LiveReply(Protocol):
    """A running reply: ``events`` grows whenever the node sends something."""

    @property
    def events(self) -> int: ...


@dataclass(slots=True, eq=False)
class Slot:
    """A slot at a node, taken by one exchange. Returned exactly once, by ``Admission``. ``caps``:
    the limits on parallel requests that it counts for."""

    state: NodeState
    is_trial: bool
    taken: bool = True
    caps: tuple[Cap, ...] = ()


@dataclass(slots=True, eq=False)
class NodeState:
    """``limit`` is the configured capacity, ``slots`` what the engine reports; None: no limit.
    ``in_flight`` counts taken slots, ``served`` those ever taken. ``draining``: gets nothing new;
    ``gone``: has left the configuration and is dropped with its last stream. ``elsewhere`` are
    slots that other instances of this host use; ``owed``: the next one is another instance's, whose
    turn is earlier."""

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
    #: Until when it is full as it reported, by model: quotas are often a model's.
    full_until: dict[str, float] = field(default_factory=dict)
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    #: The services that have failed although the node as a whole has not.
    _service_breakers: dict[Service, CircuitBreaker] = field(default_factory=dict)
    #: Running replies, each with its events at its last check; the next one to be checked comes
    #: first.
    _streams: OrderedDict[LiveReply, int] = field(default_factory=OrderedDict)
    #: The last slot whose request is a trial.
    _trial: Slot | None = None
    #: When its streams were last checked.
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
        """For a request of that service; without one: for any request."""
        return not self.hung and self.breaker.allows_request(now) and not self.lacks(now, service)

    def lacks(self, now: float, service: Service | None) -> bool:
        """Whether it recently refused that service."""
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
        """The models for which it reported that it is full."""
        return [model for model, until in self.full_until.items() if now < until]

    def is_available(self, now: float, model: str = "") -> bool:
        return not self.draining and self.is_healthy(now) and not self.is_full(now, model)

    def next_change(self, now: float) -> float | None:
        """When the passing of time alone may make it available, if ever."""
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
        """Whether one of its streams has sent something since it counts as hung."""
        if self.hung_at is None:
            return False
        self.is_sending(now)
        return self.last_heard_at > self.hung_at

    def is_sending(self, now: float) -> bool:
        """Whether one of its streams has sent something since the last check, or shortly before
        that. If there are many, only some are checked: see `looks`."""
        if now - self._looked_at >= _LOOK_PAUSE_S * min(len(self._streams), _SEEN_PER_LOOK):
            self._look(now)
        return bool(self._streams) and now - self.last_heard_at < SENDING_WINDOW_S

    def looks(self, now: float) -> Iterator[None]:
        """Check all its streams; yields so that the caller can run other code."""
        left = len(self._streams) - _SEEN_PER_LOOK
        self._look(now)
        while left > 0:
            yield
            self._look(now)
            left -= _SEEN_PER_LOOK

    def _look(self, now: float) -> None:
        """Check some of its streams, the next ones."""
        self._looked_at, streams = now, self._streams
        for _ in range(min(len(streams), _SEEN_PER_LOOK)):
            stream, seen = streams.popitem(last=False)
            streams[stream] = events = stream.events
            if events != seen:
                self.last_heard_at = now

    def record_failure(self, now: float, fault: NodeFault, error: str) -> None:
        """Count a fault of the node. While it sends tokens, none counts: a probe that times out or
        a full backlog is then due to the load (sglang 22511)."""
        if self.is_sending(now):
            self.breaker.note_error(now, error)
        else:
            self.breaker.record_failure(now, fault, error)

    def record_head(self, service: Service | None = None) -> None:
        """Count a reply's head in favour of the node."""
        self.breaker.record_head()
        if self._service_breakers and service is not None:
            self._service_breakers.pop(service, None)

    def record_service_failure(
        self, now: float, service: Service, fault: NodeFault, error: str
    ) -> bool:
        """Count a fault of one service only. Returns whether it is lacking from now on, and was not
        before."""
        self.breaker.note_error(now, error)
        known = self._service_breakers.get(service)
        if known is None:
            known = CircuitBreaker()
            self._service_breakers = {**self._recent(now), service: known}
        well = known.is_closed()
        known.record_failure(now, fault, error)
        return well and not known.is_closed()

    def _recent(self, now: float) -> dict[Service, CircuitBreaker]:
        """The services without those that were not used for long. Their names are the clients', so
        their number is limited."""
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
        """Count the node as full for that model, since it answered 429, whatever our count is."""
        current = {name: when for name, when in self.full_until.items() if when > now}
        current[model] = now + min(max(retry_after or 0.0, MIN_FULL_S), MAX_FULL_S)
        self.full_until = current
