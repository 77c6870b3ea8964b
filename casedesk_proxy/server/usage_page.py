"""``GET /v1/usage``: what the caller's key has used, and what is left of its limits."""

from __future__ import annotations

from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.limits.use import Use
from casedesk_proxy.limits.windows import Moment
from casedesk_proxy.planning.admission import Admitted
from casedesk_proxy.server.limiting import Limiter
from casedesk_proxy.surfaces.envelopes import OwnReply
from casedesk_proxy.surfaces.timestamps import rfc3339
from casedesk_proxy.terms import Limit, Standing

__all__ = ["show_usage", "show_use"]

_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


async def show_usage(limiter: Limiter, admitted: Admitted) -> OwnReply:
    """Shows nothing of other keys; of a deployment, only how its limits stand."""
    key = admitted.facts.key
    use = await limiter.find_use("key", key)
    standings, now = limiter.list_standings(admitted.limits), limiter.now()
    only = admitted.deployment.rules.only
    body = {
        "object": "usage",
        "key": key,
        "deployment": admitted.facts.deployment,
        "used": None if use is None else show_use(use, now),
        "limits": [_limit(one, now) for one in standings],
        "models": None if only is None else list(only),
        "expires": None if admitted.expires is None else rfc3339(admitted.expires),
    }
    return OwnReply(200, _HEADERS, jsonio.dumps(body))


def show_use(use: Use, now: Moment) -> dict[str, int]:
    """The use in each window."""
    return {
        "requests_last_minute": use.used(Limit.REQUESTS_PER_MINUTE, now),
        "tokens_last_minute": use.used(Limit.TOKENS_PER_MINUTE, now),
        "tokens_today": use.used(Limit.TOKENS_PER_DAY, now),
        "tokens_this_month": use.used(Limit.TOKENS_PER_MONTH, now),
    }


def _limit(one: Standing, now: Moment) -> dict[str, Any]:
    resets = None if one.limit is Limit.PARALLEL else rfc3339(one.resets)
    return {
        "limit": one.limit.value,
        "of": one.kind,
        "name": one.name,
        "hard": one.hard,
        "soft": one.soft,
        "used": one.used,
        "left": None if one.hard is None else max(one.hard - one.used, 0),
        "resets": resets,
        "resets_in": None if resets is None else round(max(one.resets - now.wall, 0.0), 3),
    }
