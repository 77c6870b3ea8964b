"""Limits on how many requests of a key, or of a deployment, are at nodes at once."""

from __future__ import annotations

from casedesk_proxy.terms import UseRules

__all__ = ["Cap", "Seats"]


class Seats:
    """How many requests of a key, or of a deployment, have a slot now."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        self.taken = 0


class Cap:
    """A configured limit, and the ``seats`` that it limits, which outlive it. ``which``: the kind
    and the name of the key or the deployment."""

    __slots__ = ("most", "rules", "seats", "which")

    def __init__(self, rules: UseRules, seats: Seats) -> None:
        assert rules.parallel is not None
        self.rules = rules
        self.most = rules.parallel
        self.which = rules.kind, rules.name
        self.seats = seats
