"""Limits while none of them is near: all that most requests need.

`judging` gives the same result for any limit in any state, in many more steps. Here use is counted
within one `Second`, in which nothing expires: whether a limit is near is then a comparison, and
what is left of it a subtraction.
"""

from __future__ import annotations

import math

from casedesk_proxy.limits.use import Use
from casedesk_proxy.limits.windows import Moment, Second
from casedesk_proxy.terms import Limit, UseRules

__all__ = ["Gauge"]

_OF_TOKENS = (Limit.TOKENS_PER_MINUTE, Limit.TOKENS_PER_DAY, Limit.TOKENS_PER_MONTH)


class Gauge:
    """The ``rules`` of a scope, whose ``use`` is counted, for one second after the other.

    In terms of ``use.asked`` and ``use.spent``: from ``calm_asked`` and ``calm_spent`` on, a limit
    is reached or a soft one is passed; from ``full_asked`` and ``full_spent`` on, a limit is
    reached; infinite if there is none. ``asked`` and ``spent``: their values when it was read,
    valid as long as the ``epoch`` of its use is the same. ``tightest``: of the limits on tokens the
    one with the least left, the first if equal.
    """

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
        """Read it for that second, which has begun."""
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
        """A limit that refuses, and when nothing of it will be used if nothing is added, in seconds
        since 1970."""
        (most,) = (hard for one, hard, _ in self.rules.bounds if one is limit)
        assert most is not None
        return most, now.wall + self.use.pause_until_reset(limit, now)
