"""A configuration's limits, compiled to values."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from casedesk_proxy.config.limits import KeyLimits, UseLimits, parse_expiry
from casedesk_proxy.terms import Limit, UseRules

__all__ = ["compile_rules", "expiry_of"]

_WINDOWED = (
    Limit.REQUESTS_PER_MINUTE,
    Limit.TOKENS_PER_MINUTE,
    Limit.TOKENS_PER_DAY,
    Limit.TOKENS_PER_MONTH,
)


def compile_rules(kind: str, name: str, limits: UseLimits) -> UseRules | None:
    """``kind`` is key or deployment. None if nothing is limited."""
    found = ((limit, getattr(limits, limit.value)) for limit in _WINDOWED)
    bounds = tuple((limit, bound.hard, bound.soft) for limit, bound in found if bound is not None)
    if not bounds and limits.parallel is None:
        return None
    return UseRules(kind, name, bounds, limits.parallel, limits.over_parallel == "wait")


def expiry_of(limits: KeyLimits, zone: tzinfo) -> float | None:
    """In seconds since 1970; None: never."""
    if limits.expires is None:
        return None
    when = parse_expiry(limits.expires)
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone)
    return (when - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
