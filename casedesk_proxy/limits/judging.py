"""Whether a request is admitted, and what is left: decided from rules, use and the time.

Nothing is reserved. A request is admitted while the use, including what running requests have
produced so far, is less than the limit; so only requests that run when the limit is reached can
exceed it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from casedesk_proxy.errors import LimitReached
from casedesk_proxy.limits.use import Use
from casedesk_proxy.limits.windows import Moment
from casedesk_proxy.terms import Limit, Standing, UseRules
from casedesk_proxy.wording import spell_time

__all__ = [
    "count_used",
    "find_reached",
    "find_tightest",
    "find_warned",
    "list_standings",
    "refuse",
    "refuse_parallel",
]

#: For people.
_PERIODS = {
    Limit.REQUESTS_PER_MINUTE: "requests a minute",
    Limit.TOKENS_PER_MINUTE: "tokens a minute",
    Limit.TOKENS_PER_DAY: "tokens a day",
    Limit.TOKENS_PER_MONTH: "tokens a month",
    Limit.PARALLEL: "requests at once",
}
#: ``Retry-After`` for a client that already has as many running requests as allowed.
_PARALLEL_RETRY_AFTER_S = 2.0


def count_used(rules: UseRules, use: Use, running: int, now: Moment) -> tuple[list[int], bool]:
    """The use of each limit on a window, in the order of ``rules.bounds``; and whether all is calm:
    none is reached, and no soft one is passed. ``running``: tokens that running requests have
    produced so far."""
    counts, calm = [], True
    for limit, hard, soft in rules.bounds:
        count = use.used(limit, now)
        if limit is not Limit.REQUESTS_PER_MINUTE:
            count += running
        if (hard is not None and count >= hard) or (soft is not None and count >= soft):
            calm = False
        counts.append(count)
    return counts, calm


def list_standings(rules: UseRules, use: Use, used: Sequence[int], now: Moment) -> list[Standing]:
    """How each limit on a window stands; ``used`` as counted."""
    return [_stand(rules, use, number, count, now) for number, count in enumerate(used)]


def find_tightest(
    counted: Iterable[tuple[UseRules, Use, Sequence[int], bool]], now: Moment
) -> list[Standing]:
    """Of all limits that refuse, the one on requests and the one on tokens with the least left;
    ``counted`` has the result of `count_used` for each scope."""
    least: list[int | None] = [None, None]
    found: list[tuple[UseRules, Use, int, int] | None] = [None, None]
    for rules, use, used, _ in counted:
        for number, (limit, hard, _) in enumerate(rules.bounds):
            if hard is None:
                continue
            what = 0 if limit is Limit.REQUESTS_PER_MINUTE else 1
            left, known = hard - used[number], least[what]
            if known is None or left < known:
                least[what], found[what] = left, (rules, use, number, used[number])
    return [_stand(*one, now) for one in found if one is not None]


def _stand(rules: UseRules, use: Use, number: int, used: int, now: Moment) -> Standing:
    limit, hard, soft = rules.bounds[number]
    resets = now.wall + use.pause_until_reset(limit, now)
    return Standing(limit, rules.kind, rules.name, hard, soft, used, resets)


def find_reached(standings: Sequence[Standing]) -> Standing | None:
    """The limit that is reached; of several, the one that lasts longest."""
    reached = [one for one in standings if one.hard is not None and one.used >= one.hard]
    return max(reached, key=lambda one: one.resets, default=None)


def find_warned(standings: Sequence[Standing]) -> list[Standing]:
    """The soft limits that are passed."""
    return [one for one in standings if one.soft is not None and one.used >= one.soft]


def refuse(reached: Standing, use: Use, now: Moment) -> LimitReached:
    """The error to answer with. Within minutes a client should repeat the request automatically; at
    the end of a day or a month people decide."""
    assert reached.hard is not None
    past = use.used(reached.limit, now)
    pause_s = use.pause_until_below(reached.limit, now, reached.hard - reached.used + past)
    return LimitReached(
        f"the limit of {reached.hard} {_PERIODS[reached.limit]} ({reached.limit}) of the"
        f" {reached.kind} '{reached.name}' is reached: {reached.used} used;"
        f" {_advise(reached.limit, now.wall, pause_s)}",
        reached,
        at=now.wall,
        retry_after=max(pause_s, 1.0),
    )


def _advise(limit: Limit, wall: float, pause_s: float) -> str:
    """What to do: a minute's limit ends within seconds, the others at a time of day."""
    when = f"in {math.ceil(max(pause_s, 1.0))} s"
    if limit not in (Limit.REQUESTS_PER_MINUTE, Limit.TOKENS_PER_MINUTE):
        when = f"at {spell_time(wall + pause_s)}"
    return f"try again {when}, or ask for a higher limit"


def refuse_parallel(rules: UseRules, wall: float) -> LimitReached:
    """As many of its requests run as are allowed. ``wall``: now, in seconds since 1970."""
    assert rules.parallel is not None
    most, resets = rules.parallel, wall + _PARALLEL_RETRY_AFTER_S
    standing = Standing(Limit.PARALLEL, rules.kind, rules.name, most, None, most, resets)
    return LimitReached(
        f"the limit of {most} {_PERIODS[Limit.PARALLEL]} ({Limit.PARALLEL}) of the"
        f" {rules.kind} '{rules.name}' is reached; wait until a request ends, or ask for a higher"
        " limit",
        standing,
        at=wall,
        retry_after=_PARALLEL_RETRY_AFTER_S,
    )
