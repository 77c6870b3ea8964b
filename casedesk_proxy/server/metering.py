"""Requests within limits while they run: whose they are, and how far they have come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from casedesk_proxy.limits.use import Use
from casedesk_proxy.relay.delivery import Delivery
from casedesk_proxy.relay.request import ClientRequest
from casedesk_proxy.replying.record import CallFacts
from casedesk_proxy.terms import Limit, UseRules

__all__ = ["Meter", "Metered", "Scope"]

#: Of more running requests than these the sum is good for so many seconds: in which an engine makes
#: one or two tokens for each.
_MAX_SUMMED_REQUESTS = 4
_SUM_FRESH_S = 0.02


class Meter:
    """The limits on what one key asks of one deployment: ``parts`` are the limits of each scope
    with what is counted there, and whether that is tokens; ``caps`` those on parallel requests;
    ``recheck`` raises LimitReached where a request that has waited may not go on."""

    __slots__ = ("caps", "limits", "parts", "recheck", "uses")

    def __init__(
        self,
        limits: Sequence[UseRules],
        parts: Sequence[tuple[UseRules, Scope, Use]],
        recheck: Callable[[Meter], None],
    ) -> None:
        self.limits = limits
        self.parts = [(rules, scope, use, _are_tokens(rules)) for rules, scope, use in parts]
        self.uses = [use for _, _, use in parts]
        self.caps = tuple(one for one in limits if one.parallel is not None)
        self.recheck = partial(recheck, self)


class Metered:
    """A request that was admitted. ``started`` in seconds since 1970."""

    __slots__ = ("_request", "call", "meter", "request_id", "started")

    def __init__(
        self, request: ClientRequest, request_id: str, call: CallFacts, meter: Meter, started: float
    ) -> None:
        self._request = request
        self.request_id = request_id
        self.call = call
        self.meter = meter
        self.started = started

    @property
    def produced(self) -> int:
        """Pieces of its reply that have come: engines send one for each token, or for a few."""
        held = self._request.held
        return held.relay.events if isinstance(held, Delivery) and held.generates else 0


class Scope:
    """A key or a deployment with limits, and its requests that run."""

    __slots__ = ("_produced", "_summed_at", "kind", "name", "running", "warned_on")

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        self.running: set[Metered] = set()
        #: By soft limit, the number of the day on which a log line named it.
        self.warned_on: dict[Limit, int] = {}
        self._produced = 0
        self._summed_at = 0.0

    def produced(self, steady: float) -> int:
        """Tokens of what runs, as far as it has come."""
        if not self.running:
            return 0
        if len(self.running) <= _MAX_SUMMED_REQUESTS or steady - self._summed_at > _SUM_FRESH_S:
            self._produced = sum([one.produced for one in self.running])
            self._summed_at = steady
        return self._produced


def _are_tokens(rules: UseRules) -> bool:
    return any(limit is not Limit.REQUESTS_PER_MINUTE for limit, _, _ in rules.bounds)
