"""Limits on how many requests of a key, or of a deployment, are at nodes at once."""

from __future__ import annotations

import math

from casedesk_proxy.terms import UseRules

__all__ = ["Cap", "Seats"]


class Seats:
    """How many requests of a key, or of a deployment, have a slot now, and how many may: also those
    that began to wait while it was another number."""

    __slots__ = ("most", "taken")

    def __init__(self) -> None:
        self.taken = 0
        self.most = math.inf


class Cap:
    """A configured limit, and the ``seats`` that it limits, which outlive it: another limit sets
    their ``most``. ``which``: the kind and the name of the key or the deployment."""

    __slots__ = ("rules", "seats", "which")

    def __init__(self, rules: UseRules, seats: Seats) -> None:
        assert rules.parallel is not None
        self.rules = rules
        self.which = rules.kind, rules.name
        self.seats = seats
        if seats.most == math.inf:
            seats.most = rules.parallel
