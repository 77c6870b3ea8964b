"""Running requests with limits: their scopes, and what they have produced so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from casedesk_proxy.limits.gauge import Gauge
from casedesk_proxy.limits.use import Use
from casedesk_proxy.limits.windows import Moment, Second
from casedesk_proxy.pools.caps import Cap, Seats
from casedesk_proxy.relay.delivery import Delivery
from casedesk_proxy.relay.parties import Held
from casedesk_proxy.replying.record import CallFacts
from casedesk_proxy.surfaces.limits import limit_template
from casedesk_proxy.terms import Limit, UseRules

__all__ = ["Meter", "Scope", "UnderWay"]

#: If more requests run, the sum stays valid for so many seconds, in which an engine generates one
#: or two tokens for each.
_MAX_SUMMED_REQUESTS = 4
_SUM_FRESH_S = 0.02


class UnderWay(Protocol):
    """A running request; ``started``: by the steady clock. ``held``: its reply, once it has begun
    and until it has ended."""

    call: CallFacts
    held: Held | None
    started: float


class _Beside:
    """The limits of another scope, which count as well and are farther away than those that heads
    name."""

    __slots__ = ("are_tokens", "epoch", "gauge", "running", "scope", "use")

    def __init__(self, gauge: Gauge, scope: Scope, are_tokens: bool) -> None:
        self.gauge = gauge
        self.use = gauge.use
        self.epoch = gauge.epoch
        self.scope = scope
        self.running = scope.running
        self.are_tokens = are_tokens

    def is_farther(self, left_requests: float, left_tokens: float, steady: float) -> bool:
        """Whether more is left than that, and nothing else was counted in this second."""
        use, gauge = self.use, self.gauge
        asked, spent = use.asked, use.spent
        if self.running and self.are_tokens:
            spent += self.scope.produced(steady)
        return (
            use.epoch is self.epoch
            and asked < gauge.calm_asked
            and spent < gauge.calm_spent
            and (gauge.full_asked - asked > left_requests or left_requests == math.inf)
            and (gauge.full_spent - spent > left_tokens or left_tokens == math.inf)
        )


class Calm:
    """How requests of one API begin in one second while no limit is near, as most do. The limits
    that heads name are all of one scope; ``beside``: another one that counts. ``template``: the
    header lines after everything in them has been counted in this second, with a placeholder for
    one of two numbers: requests (0), tokens (1), None: both. ``produced``: what the running
    requests have produced, None if no limit counts that."""

    __slots__ = (
        "beside", "calm_asked", "calm_spent", "epoch", "full_asked", "full_spent", "produced",
        "running", "shown", "template", "until", "use",
    )  # fmt: skip

    def __init__(
        self, gauge: Gauge, scope: Scope, beside: _Beside | None, template: bytes,
        shown: int | None, until: float, *, are_tokens: bool,
    ) -> None:  # fmt: skip
        self.use = gauge.use
        self.epoch = gauge.epoch
        self.until = until
        self.running = scope.running
        self.produced = scope.produced if are_tokens else None
        self.calm_asked, self.calm_spent = gauge.calm_asked, gauge.calm_spent
        self.full_asked, self.full_spent = gauge.full_asked, gauge.full_spent
        self.beside = beside
        self.template = template
        self.shown = shown

    def begin(self, one: UnderWay) -> bytes | None:
        """As `Meter.begin`; also None if that second is over, or anything else was counted."""
        use = self.use
        if use.epoch is not self.epoch or one.started >= self.until:
            return None
        spent = use.spent
        if (running := self.running) and self.produced is not None:
            spent += self.produced(one.started)
        if spent >= self.calm_spent or (asked := use.asked) >= self.calm_asked:
            return None
        left_tokens = self.full_spent - spent
        if (other := self.beside) is not None:
            if not other.is_farther(self.full_asked - asked, left_tokens, one.started):
                return None
            other.use.asked += 1
            other.running.add(one)
        use.asked = asked = asked + 1
        running.add(one)
        if not (template := self.template):
            return b""
        if (shown := self.shown) is None:
            return template % (self.full_asked - asked, left_tokens)
        return template % (left_tokens if shown else self.full_asked - asked)


class Meter:
    """The limits of one key at one deployment: ``parts`` are the limits of each scope with what
    runs there, and whether they count tokens; ``counts`` what is used and what runs in each;
    ``caps`` are the limits on parallel requests; ``recheck`` raises LimitReached if a request that
    has waited is over a limit now; ``calm``, by surface, may begin requests in fewer steps."""

    __slots__ = ("_templates", "calm", "caps", "counts", "limits", "parts", "recheck")

    def __init__(
        self,
        limits: Sequence[UseRules],
        parts: Sequence[tuple[UseRules, Scope, Use]],
        recheck: Callable[[Meter], None],
    ) -> None:
        self.limits = limits
        self.parts = [(Gauge(rules, use), scope, _are_tokens(rules)) for rules, scope, use in parts]
        self.counts = [(use, scope.running) for _, scope, use in parts]
        self.caps = tuple(
            Cap(rules, scope.seats) for rules, scope, _ in parts if rules.parallel is not None
        )
        self.recheck = partial(recheck, self)
        self._templates: dict[tuple[object, ...], bytes] = {}
        self.calm: dict[str, Calm] = {}

    def begin(self, one: UnderWay, surface: str, second: Second) -> bytes | None:
        """Count a request that begins in that ``second``; returns the header lines with what is
        left. None if a limit is reached, or one that only warns is passed: it is not counted."""
        if (notes := self._read_all(surface, second, one.started)) is not None:
            self.count(one)
        return notes

    def take_back(self, pieces: int) -> None:
        """A request ends whose reply had so many pieces."""
        for _, scope, _ in self.parts:
            scope.take_back(pieces)

    def count(self, one: UnderWay) -> None:
        for use, running in self.counts:
            use.asked += 1
            running.add(one)

    def _read_anew(self, gauge: Gauge, second: Second) -> None:
        gauge.read(second)
        self._templates.clear()
        self.calm.clear()

    def _read_all(self, surface: str, second: Second, steady: float) -> bytes | None:
        left_requests = left_tokens = math.inf
        requests = tokens = None
        for gauge, scope, are_tokens in self.parts:
            use = gauge.use
            if use.second is not second or use.epoch is not gauge.epoch:
                self._read_anew(gauge, second)
            asked, spent = use.asked, use.spent
            if are_tokens and scope.running:
                spent += scope.produced(steady)
            if asked >= gauge.calm_asked or spent >= gauge.calm_spent:
                return None
            if gauge.full_asked - asked < left_requests:
                left_requests, requests = gauge.full_asked - asked, gauge
            if gauge.full_spent - spent < left_tokens:
                left_tokens, tokens = gauge.full_spent - spent, gauge
        template = self._find_template(surface, requests, tokens, second, steady)
        if requests is None:
            return template % left_tokens if tokens is not None else b""
        left_requests -= 1
        return template % ((left_requests, left_tokens) if tokens is not None else left_requests)

    def _find_template(
        self, surface: str, requests: Gauge | None, tokens: Gauge | None,
        second: Second, steady: float,
    ) -> bytes:  # fmt: skip
        """The template; within a second it changes with the first request that uses only one of
        the two limits."""
        is_asked = requests is not None and requests.use.asked != requests.asked
        is_spent = tokens is not None and tokens.use.spent != tokens.spent
        which = surface, requests, is_asked, tokens, is_spent
        template = self._templates.get(which)
        if template is None:
            wall = steady + second.ahead
            now = Moment(steady, wall, second.begun.today)
            of_requests = requests.show(Limit.REQUESTS_PER_MINUTE, now) if requests else None
            of_tokens = tokens.show(tokens.tightest, now) if tokens else None
            template = limit_template(surface, of_requests, of_tokens, wall)
            if all(one is None or one[1] - wall >= 1.0 for one in (of_requests, of_tokens)):
                # Otherwise it contains milliseconds.
                self._templates[which] = template
                if is_asked is (requests is not None) and is_spent is (tokens is not None):
                    self._calm_down(surface, requests, tokens, template, second)
        return template

    def _calm_down(
        self, surface: str, requests: Gauge | None, tokens: Gauge | None, template: bytes,
        second: Second,
    ) -> None:  # fmt: skip
        """From now on requests may begin calmly, if one scope has all limits in the heads."""
        named = requests or tokens or self.parts[0][0]
        others = [part for part in self.parts if part[0] is not named]
        if tokens not in (None, named) or len(others) > 1:
            return
        (scope,) = (scope for gauge, scope, _ in self.parts if gauge is named)
        self.calm[surface] = Calm(
            named, scope, _Beside(*others[0]) if others else None, template,
            None if requests and tokens else int(requests is None), second.until,
            are_tokens=_are_tokens(named.rules),
        )  # fmt: skip


class Scope:
    """A key or a deployment with limits, and its running requests, of which those at nodes have
    ``seats``."""

    __slots__ = ("_produced", "_summed_at", "kind", "name", "running", "seats", "warned_on")

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name
        self.running: set[UnderWay] = set()
        self.seats = Seats()
        #: By soft limit, the number of the day on which a log line named it.
        self.warned_on: dict[Limit, int] = {}
        self._produced = 0
        self._summed_at = 0.0

    def take_back(self, pieces: int) -> None:
        """A request has ended, and its tokens are counted as spent from now on. A sum that is still
        valid may contain them: they must not count twice, or a request could be refused for it."""
        self._produced = max(self._produced - pieces, 0)

    def produced(self, steady: float) -> int:
        """Tokens that the running requests have produced so far."""
        if not self.running:
            return 0
        if len(self.running) <= _MAX_SUMMED_REQUESTS or steady - self._summed_at > _SUM_FRESH_S:
            self._produced = sum(map(_count_pieces, self.running))
            self._summed_at = steady
        return self._produced


def _count_pieces(one: UnderWay) -> int:
    """How many pieces of its reply have arrived: engines send one for each token, or for a few."""
    held = one.held
    return held.relay.events if isinstance(held, Delivery) and held.generates else 0


def _are_tokens(rules: UseRules) -> bool:
    return any(limit is not Limit.REQUESTS_PER_MINUTE for limit, _, _ in rules.bounds)
