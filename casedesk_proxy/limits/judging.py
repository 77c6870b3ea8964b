"""Whether a request may go on, and what is left: decided from rules, use and the moment.

Nothing is reserved. A request is admitted while what is used, and what requests that run have
produced so far, is less than the limit; so what runs when the limit is reached goes beyond it, and
nothing else does.
"""

from __future__ import annotations

from collections.abc import Sequence

from casedesk_proxy.errors import LimitReached
from casedesk_proxy.limits.use import Use
from casedesk_proxy.limits.windows import Moment
from casedesk_proxy.terms import Limit, Standing, UseRules

__all__ = ["find_reached", "find_warned", "list_standings", "refuse", "refuse_parallel"]

#: For people.
_PERIODS = {
    Limit.REQUESTS_PER_MINUTE: "requests a minute",
    Limit.TOKENS_PER_MINUTE: "tokens a minute",
    Limit.TOKENS_PER_DAY: "tokens a day",
    Limit.TOKENS_PER_MONTH: "tokens a month",
    Limit.PARALLEL: "requests at once",
}
#: Seconds after which somebody is told to come back whose own requests all run.
_PARALLEL_RETRY_AFTER_S = 2.0


def list_standings(rules: UseRules, use: Use, running: int, now: Moment) -> list[Standing]:
    """How each limit on a window stands. ``running``: tokens that requests which run have produced
    so far."""
    return [
        Standing(
            limit=limit,
            kind=rules.kind,
            name=rules.name,
            hard=hard,
            soft=soft,
            used=use.used(limit, now) + (0 if limit is Limit.REQUESTS_PER_MINUTE else running),
            resets=now.wall + use.pause_until_reset(limit, now),
        )
        for limit, hard, soft in rules.bounds
    ]


def find_reached(standings: Sequence[Standing]) -> Standing | None:
    """The limit that is reached; of several, the one that lasts longest."""
    reached = [one for one in standings if one.hard is not None and one.used >= one.hard]
    return max(reached, key=lambda one: one.resets, default=None)


def find_warned(standings: Sequence[Standing]) -> list[Standing]:
    """The soft limits that are passed."""
    return [one for one in standings if one.soft is not None and one.used >= one.soft]


def refuse(reached: Standing, use: Use, now: Moment) -> LimitReached:
    """What to answer. Whoever can come back within minutes is to do so by itself; a day's end is
    for people to wait for."""
    assert reached.hard is not None
    past = use.used(reached.limit, now)
    pause = use.pause_until_below(reached.limit, now, reached.hard - reached.used + past)
    return LimitReached(
        f"the limit of {reached.hard} {_PERIODS[reached.limit]} ({reached.limit}) of the"
        f" {reached.kind} '{reached.name}' is reached: {reached.used} are used",
        reached,
        at=now.wall,
        retry_after=max(pause, 1.0),
    )


def refuse_parallel(rules: UseRules, wall: float) -> LimitReached:
    """As many of its requests run as may. ``wall``: now, in seconds since 1970."""
    assert rules.parallel is not None
    most, resets = rules.parallel, wall + _PARALLEL_RETRY_AFTER_S
    standing = Standing(Limit.PARALLEL, rules.kind, rules.name, most, None, most, resets)
    return LimitReached(
        f"the limit of {most} {_PERIODS[Limit.PARALLEL]} ({Limit.PARALLEL}) of the"
        f" {rules.kind} '{rules.name}' is reached",
        standing,
        at=wall,
        retry_after=_PARALLEL_RETRY_AFTER_S,
    )
