"""What running requests have produced, summed up."""

from __future__ import annotations

from datetime import UTC
from typing import Any, cast

from casedesk_proxy.limits.use import Use
from casedesk_proxy.limits.windows import Calendar, Moment, Second
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


#: The first moment of 2027.
NEW_YEAR = 1798761600.0


def counted(surface: str, *scopes: UseRules, asked: int = 0, spent: int = 0) -> bytes | None:
    """What heads say, after so much was used."""
    uses = [Use() for _ in scopes]
    meter = Meter(
        scopes,
        [(one, Scope(one.kind, one.name), use) for one, use in zip(scopes, uses, strict=True)],
        lambda _: None,
    )
    now = Moment(100.5, NEW_YEAR + 0.5, Calendar(UTC).today(NEW_YEAR + 0.5))
    second = Second.at(now)
    meter.read_calm(surface, second, now.steady, now.wall)
    for use in uses:
        use.asked += asked
        use.spent += spent
    return meter.read_calm(surface, second, now.steady, now.wall)


KEY = UseRules(
    "key", "alice", ((Limit.REQUESTS_PER_MINUTE, 10, None), (Limit.TOKENS_PER_DAY, 100, None))
)
DESK = UseRules("deployment", "desk", ((Limit.TOKENS_PER_MINUTE, 90, 80),))


def test_heads_say_what_is_left_of_the_tightest_limits() -> None:
    assert counted("openai", KEY, DESK, asked=3, spent=40) == (
        b"x-ratelimit-limit-requests: 10\r\nx-ratelimit-remaining-requests: 6\r\n"
        b"x-ratelimit-reset-requests: 1m0s\r\n"
        b"x-ratelimit-limit-tokens: 90\r\nx-ratelimit-remaining-tokens: 50\r\n"
        b"x-ratelimit-reset-tokens: 1m0s\r\n"
    )
    assert counted("anthropic", UseRules("key", "bob", KEY.bounds[1:]), spent=1) == (
        b"anthropic-ratelimit-tokens-limit: 100\r\nanthropic-ratelimit-tokens-remaining: 99\r\n"
        b"anthropic-ratelimit-tokens-reset: 2027-01-02T00:00:00Z\r\n"
    )
    assert counted("openai", UseRules("key", "bob", KEY.bounds[:1]), asked=9) == (
        b"x-ratelimit-limit-requests: 10\r\nx-ratelimit-remaining-requests: 0\r\n"
        b"x-ratelimit-reset-requests: 1m0s\r\n"
    )
    assert counted("openai", CAPPED) == b""


def test_before_anything_is_used_nothing_has_to_reset() -> None:
    assert b"reset-requests: 0ms\r\n" in (counted("openai", KEY) or b"")


def test_where_a_limit_is_reached_or_warns_it_says_nothing() -> None:
    assert counted("openai", KEY, asked=10) is None
    assert counted("openai", KEY, DESK, spent=80) is None


def test_what_runs_counts_too() -> None:
    meter = Meter((DESK,), [(DESK, scope := Scope("deployment", "desk"), Use())], lambda _: None)
    scope.running = {Producing(30)}
    now = Moment(100.5, NEW_YEAR, Calendar(UTC).today(NEW_YEAR))
    lines = meter.read_calm("openai", Second.at(now), now.steady, now.wall)
    assert b"remaining-tokens: 60\r\n" in (lines or b"")
