"""How clients see limits: the remaining amounts, in the headers that each vendor's clients read,
and a limit that is reached, in Google's error details.

There is one set of headers for a limit on requests, and one for a limit on tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from casedesk_proxy.surfaces.timestamps import rfc3339
from casedesk_proxy.terms import Dialect, Limit, Standing

__all__ = ["describe_failure", "limit_headers", "limit_template", "warning_headers"]

_METRIC = "casedesk-proxy/"
#: Google's names of quotas. gemini-cli waits if the name contains PerMinute, and gives up if it
#: contains PerDay (source, 0.20).
_QUOTA_IDS = {
    Limit.REQUESTS_PER_MINUTE: "RequestsPerMinute",
    Limit.TOKENS_PER_MINUTE: "TokensPerMinute",
    Limit.TOKENS_PER_DAY: "TokensPerDay",
    Limit.TOKENS_PER_MONTH: "TokensPerMonth",
    Limit.PARALLEL: "ParallelRequests",
}
_KINDS = ("requests", "tokens")
#: The headers of Anthropic, and those of OpenAI.
_NAMES: dict[tuple[bool, str], tuple[bytes, bytes, bytes]] = {
    **{
        (True, what): (
            f"anthropic-ratelimit-{what}-limit".encode(),
            f"anthropic-ratelimit-{what}-remaining".encode(),
            f"anthropic-ratelimit-{what}-reset".encode(),
        )
        for what in _KINDS
    },
    **{
        (False, what): (
            f"x-ratelimit-limit-{what}".encode(),
            f"x-ratelimit-remaining-{what}".encode(),
            f"x-ratelimit-reset-{what}".encode(),
        )
        for what in _KINDS
    },
}


def limit_headers(
    surface: str, standings: Sequence[Standing], wall: float
) -> tuple[tuple[bytes, bytes], ...]:
    """``standings``: at most one of each kind; those without a header are left out. ``wall``: now,
    in seconds since 1970. Google's own API has no such headers; its clients get OpenAI's, the best
    known."""
    lines: list[tuple[bytes, bytes]] = []
    for one in standings:
        if one.hard is None or one.limit is Limit.PARALLEL:
            continue
        what = "requests" if one.limit is Limit.REQUESTS_PER_MINUTE else "tokens"
        is_anthropic = surface == Dialect.ANTHROPIC
        reset = _moment(math.ceil(one.resets)) if is_anthropic else _span(one.resets - wall)
        values = (b"%d" % one.hard, b"%d" % max(one.hard - one.used, 0), reset)
        lines += zip(_NAMES[is_anthropic, what], values, strict=True)
    return tuple(lines)


def limit_template(
    surface: str,
    requests: tuple[int, float] | None,
    tokens: tuple[int, float] | None,
    wall: float,
) -> bytes:
    """`limit_headers` as lines of a head, with placeholders for what is left: for requests and for
    tokens a limit and when it resets, in seconds since 1970."""
    lines = b""
    for what, one in (("requests", requests), ("tokens", tokens)):
        if one is None:
            continue
        most, resets = one
        is_anthropic = surface == Dialect.ANTHROPIC
        text = _moment(math.ceil(resets)) if is_anthropic else _span(resets - wall)
        limit, remaining, reset = _NAMES[is_anthropic, what]
        lines += b"%b: %d\r\n%b: %%d\r\n%b: %b\r\n" % (limit, most, remaining, reset, text)
    return lines


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
def _moment(seconds: int) -> bytes:
    return rfc3339(seconds).encode()
