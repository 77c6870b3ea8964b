"""What running requests have produced, summed up."""

from __future__ import annotations

from typing import Any, cast

from casedesk_proxy.replying.record import CallFacts
from casedesk_proxy.server.metering import Meter, Metered, Scope
from casedesk_proxy.terms import Limit, UseRules

CAPPED = UseRules("key", "alice", (), 2)
BOUNDED = UseRules("deployment", "desk", ((Limit.TOKENS_PER_DAY, 5, None),))


class Request:
    """It holds no reply yet."""

    held = None


UNLIMITED = Meter((), (), lambda _: None)


class Producing(Metered):
    """As many pieces as it is made with."""

    def __init__(self, pieces: int) -> None:
        super().__init__(cast(Any, Request()), "r", CallFacts("openai"), UNLIMITED, 0.0)
        self.pieces = pieces

    @property
    def produced(self) -> int:
        return self.pieces


def test_before_a_reply_nothing_is_produced() -> None:
    assert Metered(cast(Any, Request()), "r", CallFacts("openai"), UNLIMITED, 0.0).produced == 0


def test_a_meter_knows_the_limits_on_parallel_requests() -> None:
    asked: list[Meter] = []
    meter = Meter((CAPPED, BOUNDED), (), asked.append)
    assert meter.caps == (CAPPED,)
    meter.recheck()
    assert asked == [meter]


def test_what_runs_is_summed_up() -> None:
    scope = Scope("key", "alice")
    assert scope.produced(1.0) == 0
    scope.running = {Producing(3), Producing(4)}
    assert scope.produced(1.0) == 7


def test_the_sum_of_many_is_good_for_a_moment() -> None:
    scope = Scope("key", "alice")
    ones = [Producing(1) for _ in range(5)]
    scope.running = set(ones)
    assert scope.produced(1.0) == 5
    ones[0].pieces = 100
    assert scope.produced(1.01) == 5
    assert scope.produced(1.1) == 104
