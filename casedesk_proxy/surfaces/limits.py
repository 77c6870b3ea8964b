"""How limits are told: what is left, in the headers that each vendor's clients read, and a limit
that is reached, in Google's details.

Of several limits on requests, or on tokens, the one with the least left is told: there is one place
for each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
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


def limit_headers(
    surface: Dialect, standings: Sequence[Standing], wall: float
) -> tuple[tuple[bytes, bytes], ...]:
    """``wall``: now, in seconds since 1970. Google's own API has no such headers; its clients get
    those that are the most known."""
    lines: list[tuple[bytes, bytes]] = []
    for what, one in _tightest(standings):
        assert one.hard is not None
        most, left = one.hard, max(one.hard - one.used, 0)
        if surface is Dialect.ANTHROPIC:
            start, reset = f"anthropic-ratelimit-{what}-", _rfc3339(math.ceil(one.resets))
            names = ("limit", "remaining", "reset")
            lines += [
                ((start + name).encode(), value)
                for name, value in zip(names, (b"%d" % most, b"%d" % left, reset), strict=True)
            ]
        else:
            lines += [
                (b"x-ratelimit-limit-" + what.encode(), b"%d" % most),
                (b"x-ratelimit-remaining-" + what.encode(), b"%d" % left),
                (b"x-ratelimit-reset-" + what.encode(), _span(one.resets - wall)),
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


def _tightest(standings: Sequence[Standing]) -> Iterator[tuple[str, Standing]]:
    found: dict[str, tuple[int, Standing]] = {}
    for one in standings:
        if one.hard is None or one.limit is Limit.PARALLEL:
            continue
        what = "requests" if one.limit is Limit.REQUESTS_PER_MINUTE else "tokens"
        left = one.hard - one.used
        if what not in found or left < found[what][0]:
            found[what] = left, one
    for what, (_, one) in found.items():
        yield what, one


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
