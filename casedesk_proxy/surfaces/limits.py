"""How limits are told: what is left, in the headers that each vendor's clients read, and a limit
that is reached, in Google's details.

There is one place for a limit on requests, and one for a limit on tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from casedesk_proxy.terms import Dialect, Limit, Standing

__all__ = ["describe_failure", "limit_headers", "warning_headers"]

_METRIC = "casedesk-proxy/"
#: As Google names its quotas. gemini-cli waits for what has PerMinute in its name, and gives up at
#: PerDay (source, 0.20).
_QUOTA_IDS = {
    Limit.REQUESTS_PER_MINUTE: "RequestsPerMinute",
    Limit.TOKENS_PER_MINUTE: "TokensPerMinute",
    Limit.TOKENS_PER_DAY: "TokensPerDay",
    Limit.TOKENS_PER_MONTH: "TokensPerMonth",
    Limit.PARALLEL: "ParallelRequests",
}
#: OpenAI's headers.
_NAMES = {
    what: tuple(f"x-ratelimit-{name}-{what}".encode() for name in ("limit", "remaining", "reset"))
    for what in ("requests", "tokens")
}


def limit_headers(
    surface: str, standings: Sequence[Standing], wall: float
) -> tuple[tuple[bytes, bytes], ...]:
    """``standings``: of each kind one at most; those without a place are left out. ``wall``: now,
    in seconds since 1970. Google's own API has no such headers; its clients get those that are the
    most known."""
    lines: list[tuple[bytes, bytes]] = []
    for one in standings:
        if one.hard is None or one.limit is Limit.PARALLEL:
            continue
        what = "requests" if one.limit is Limit.REQUESTS_PER_MINUTE else "tokens"
        most, left = one.hard, max(one.hard - one.used, 0)
        if surface == Dialect.ANTHROPIC:
            start, reset = f"anthropic-ratelimit-{what}-", _rfc3339(math.ceil(one.resets))
            names = ("limit", "remaining", "reset")
            lines += [
                ((start + name).encode(), value)
                for name, value in zip(names, (b"%d" % most, b"%d" % left, reset), strict=True)
            ]
        else:
            limit, remaining, reset = _NAMES[what]
            lines += [
                (limit, b"%d" % most),
                (remaining, b"%d" % left),
                (reset, _span(one.resets - wall)),
            ]
    return tuple(lines)


def warning_headers(warned: Iterable[Standing]) -> tuple[tuple[bytes, bytes], ...]:
    """The soft limits that are passed."""
    return tuple(
        (
            b"x-casedesk-limit-warning",
            f"{one.limit} of {one.kind} {one.name}: {one.used} of {one.soft}".encode(),
        )
        for one in warned
    )


def describe_failure(standing: Standing, message: str) -> dict[str, Any]:
    """Google's QuotaFailure, without its type."""
    what = "tokens" if standing.limit.value.startswith("tokens") else "requests"
    return {
        "violations": [
            {
                "subject": f"{standing.kind}:{standing.name}",
                "description": message,
                "quotaMetric": _METRIC + what,
                "quotaId": f"{_QUOTA_IDS[standing.limit]}Per{standing.kind.capitalize()}",
                "quotaValue": str(standing.hard),
            }
        ]
    }


def _span(seconds: float) -> bytes:
    """As OpenAI writes it: ``1s``, ``6m0s``, ``120ms``."""
    if seconds < 1:
        return b"%dms" % math.ceil(max(seconds, 0.0) * 1000)
    return _spell(math.ceil(seconds))


@lru_cache(maxsize=256)
def _spell(seconds: int) -> bytes:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return b"%dh%dm%ds" % (hours, minutes, rest)
    return b"%dm%ds" % (minutes, rest) if minutes else b"%ds" % rest


@lru_cache(maxsize=256)
def _rfc3339(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
