"""A node's live state, kept by name across reloads.

Three words with three meanings: a node is *healthy* when nothing speaks against it, *full* when
it has as many streams as it may hold (or says so itself), and *available* when it is healthy,
not full and not being emptied. It may be healthy and yet *lack* a service: a model that it has
lost, or a kind of request that it does not take for a model. And it may be *hung*: it sends
nothing and answers no probe, for longer than it is allowed to. That is no fault with a cool-down:
no request should try whether it is over, as it might wait for long. The next sign of life ends it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from casedesk_proxy.pools.health import MEMORY, Fault, Health

__all__ = ["NodeState", "Service", "Slot", "Stream"]

#: What a request asks of a node: a model, and the kind of request.
Service = tuple[str, str]

#: Services of a node whose faults are remembered.
MOST_SERVICES = 64

#: Seconds for which a node counts as talking after it was last heard.
TALKING = 5.0
#: Seconds for which a node that answers 429 is taken for full: at least, at most.
LEAST_FULL = 1.0
MOST_FULL = 30.0


class Stream(Protocol):
    """A reply under way: ``events`` grows whenever the node says something."""

    @property
    def events(self) -> int: ...


@dataclass(slots=True, eq=False)
class Slot:
    """A place at a node, taken by one exchange. Given back exactly once, by ``Admission``."""

    state: NodeState
    on_trial: bool
    taken: bool = True


@dataclass(slots=True, eq=False)
class NodeState:
    """``limit`` is what the configuration allows, ``slots`` what the engine tells; None: nothing
    bounds its streams. ``in_flight`` counts taken slots, ``served`` those ever taken. ``draining``
    takes nothing new; ``gone`` has left the configuration and is forgotten with its last stream."""

    name: str
    limit: int | None = None
    slots: int | None = None
    weight: int = 1
    draining: bool = False
    gone: bool = False
    in_flight: int = 0
    served: int = 0
    #: Until when it is full by its own word, by model: quotas are often a model's.
    full_until: dict[str, float] = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    #: The services that have failed where the node as a whole has not.
    _services: dict[Service, Health] = field(default_factory=dict)
    #: Replies under way, each with its events at the last look.
    _streams: dict[Stream, int] = field(default_factory=dict)
    #: The last slot that was taken on trial.
    _trial: Slot | None = None
    #: When it last sent something: a reply's head, an answer to a probe, an event.
    heard_at: float = float("-inf")
    hung_at: float | None = None

    @property
    def room(self) -> int | None:
        """How many streams it may hold; None: any number."""
        return self.slots if self.limit is None else self.limit

    @property
    def hung(self) -> bool:
        return self.hung_at is not None

    @property
    def last_error(self) -> str:
        return self.health.last_error

    def is_healthy(self, now: float, service: Service | None = None) -> bool:
        """For a request of that service; without one: at all."""
        return not self.hung and self.health.may_serve(now) and not self.lacks(now, service)

    def lacks(self, now: float, service: Service | None) -> bool:
        """Whether it refused that service a moment ago."""
        if not self._services or service is None:
            return False
        known = self._services.get(service)
        return known is not None and not known.may_serve(now)

    def lacking(self, now: float) -> list[Service]:
        return [one for one in self._services if self.lacks(now, one)]

    def is_full(self, now: float, model: str = "") -> bool:
        """For a request of that model; without one: for every model."""
        room = self.room
        if room is not None and self.in_flight >= room:
            return True
        return bool(self.full_until) and now < self.full_until.get(model, 0.0)

    def full_for(self, now: float) -> list[str]:
        """The models for which it is full by its own word."""
        return [model for model, until in self.full_until.items() if now < until]

    def is_available(self, now: float, model: str = "") -> bool:
        return not self.draining and self.is_healthy(now) and not self.is_full(now, model)

    def next_change(self, now: float) -> float | None:
        """When time alone may make it available, if it ever does."""
        services = (one.until for one in self._services.values())
        times = (*self.full_until.values(), self.health.until, *services)
        return min((when for when in times if when > now), default=None)

    def take(self, now: float) -> Slot:
        """A slot. The first one after a cool-down is the trial."""
        on_trial = not self.health.is_well() and self.health.may_serve(now)
        slot = Slot(self, on_trial)
        if on_trial:
            self.health.on_trial, self._trial = True, slot
        self.in_flight += 1
        self.served += 1
        return slot

    def give_back(self, slot: Slot) -> None:
        assert slot.taken, "a node's exchange ended twice"
        slot.taken = False
        self.in_flight -= 1
        if slot is self._trial:
            self.health.on_trial, self._trial = False, None

    def begin_stream(self, stream: Stream) -> None:
        self._streams[stream] = 0

    def end_stream(self, stream: Stream) -> None:
        self._streams.pop(stream, None)

    def is_awake_again(self, now: float) -> bool:
        """Whether a stream of it has moved since it counts as hung."""
        if self.hung_at is None:
            return False
        self.is_talking(now)
        return self.heard_at > self.hung_at

    def is_talking(self, now: float) -> bool:
        """Whether a stream of it has moved since the last look, or a moment before that."""
        for stream, seen in self._streams.items():
            if stream.events != seen:
                self._streams[stream] = stream.events
                self.heard_at = now
        return bool(self._streams) and now - self.heard_at < TALKING

    def fail(self, now: float, fault: Fault, error: str) -> None:
        """Something speaks against the node. While tokens flow from it, nothing does: a probe
        that times out or a full backlog is then the load's doing (sglang 22511)."""
        if self.is_talking(now):
            self.health.note(now, error)
        else:
            self.health.fail(now, fault, error)

    def begin_reply(self, service: Service | None = None) -> None:
        """A request got its reply's head."""
        self.health.begin()
        if self._services and service is not None:
            self._services.pop(service, None)

    def fail_service(self, now: float, service: Service, fault: Fault, error: str) -> bool:
        """Something speaks against one service alone. Tells whether it is lacking from now on,
        and was not before."""
        self.health.note(now, error)
        known = self._services.get(service)
        if known is None:
            known = Health()
            self._services = {**self._recent(now), service: known}
        well = known.is_well()
        known.fail(now, fault, error)
        return well and not known.is_well()

    def _recent(self, now: float) -> dict[Service, Health]:
        """The services without those of which nothing was heard for long. Their names are the
        clients', so that there are never many."""
        kept = [(name, one) for name, one in self._services.items() if now - one.struck_at < MEMORY]
        return dict(kept[1 - MOST_SERVICES :])

    def forgive(self) -> None:
        """What it refused may be mended: a key, a model."""
        self.health.forgive()
        self._services = {}

    def refuse(self, now: float, retry_after: float | None, model: str) -> None:
        """It answered 429: it is full for that model, whatever we count."""
        current = {name: when for name, when in self.full_until.items() if when > now}
        current[model] = now + min(max(retry_after or 0.0, LEAST_FULL), MOST_FULL)
        self.full_until = current
