"""Limits read while none of them is near: all that most requests have to know.

`judging` says the same of any limit in any state, in many more steps. Here what is used is counted
up within one `Second`, in which nothing of it expires: whether a limit is near is a comparison
then, and what is left of it a subtraction.
"""

from __future__ import annotations

import math

from casedesk_proxy.limits.use import Use
from casedesk_proxy.limits.windows import Moment, Second
from casedesk_proxy.terms import Limit, UseRules

__all__ = ["Gauge"]

_OF_TOKENS = (Limit.TOKENS_PER_MINUTE, Limit.TOKENS_PER_DAY, Limit.TOKENS_PER_MONTH)


class Gauge:
    """The ``rules`` of a scope, whose ``use`` is counted, in one second after the other.

    By ``use.asked`` and ``use.spent``: ``calm_asked`` and ``calm_spent`` say from when on a limit
    is reached or one passed that only warns, ``full_asked`` and ``full_spent`` from when on one is
    reached; infinite where there is none. ``asked`` and ``spent``: how they stood when it was
    read, which holds for as long as that of its use is ``epoch``. ``tightest``: of the limits on
    tokens that with the least left, of equals the first."""

    __slots__ = (
        "asked", "calm_asked", "calm_spent", "epoch", "full_asked", "full_spent", "rules", "spent",
        "tightest", "use",
    )  # fmt: skip

    def __init__(self, rules: UseRules, use: Use) -> None:
        self.rules = rules
        self.use = use
        self.asked = self.spent = 0
        self.calm_asked = self.calm_spent = self.full_asked = self.full_spent = -math.inf
        self.tightest = Limit.TOKENS_PER_MINUTE
        self.epoch: object = None

    def read(self, second: Second) -> None:
        """For that second, which has begun."""
        use, now = self.use, second.begun
        if use.second is not second:
            use.enter(second)
        self.epoch, self.asked, self.spent = use.epoch, use.asked, use.spent
        left = dict.fromkeys(Limit, math.inf)
        calm = dict.fromkeys(Limit, math.inf)
        for limit, hard, soft in self.rules.bounds:
            used = use.used(limit, now)
            left[limit] = math.inf if hard is None else hard - used
            calm[limit] = min(left[limit], math.inf if soft is None else soft - used)
        self.tightest = min(_OF_TOKENS, key=left.__getitem__)
        self.calm_asked = use.asked + calm[Limit.REQUESTS_PER_MINUTE]
        self.calm_spent = use.spent + min(calm[limit] for limit in _OF_TOKENS)
        self.full_asked = use.asked + left[Limit.REQUESTS_PER_MINUTE]
        self.full_spent = use.spent + left[self.tightest]

    def show(self, limit: Limit, now: Moment) -> tuple[int, float]:
        """A limit that refuses, and when nothing of it is used if nothing is added, in seconds
        since 1970."""
        (most,) = (hard for one, hard, _ in self.rules.bounds if one is limit)
        assert most is not None
        return most, now.wall + self.use.pause_until_reset(limit, now)
