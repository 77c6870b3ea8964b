from __future__ import annotations

from zoneinfo import ZoneInfo

from casedesk_proxy.config.limits import DeploymentLimits, KeyLimits
from casedesk_proxy.limits.rules import compile_rules, expiry_of
from casedesk_proxy.terms import Limit, UseRules
from tests.fixtures.table import table


def test_nothing_limited_is_no_rule() -> None:
    assert compile_rules("key", "alice", KeyLimits()) is None
    assert compile_rules("key", "alice", KeyLimits(models=("a",), expires="2027-01-01")) is None


def test_bounds_keep_the_order_of_their_windows() -> None:
    limits = DeploymentLimits.model_validate(
        {
            "tokens_per_month": {"soft": 8, "hard": 9},
            "requests_per_minute": 3,
            "parallel": 2,
            "over_parallel": "refuse",
        }
    )
    assert compile_rules("deployment", "desk", limits) == UseRules(
        "deployment",
        "desk",
        ((Limit.REQUESTS_PER_MINUTE, 3, None), (Limit.TOKENS_PER_MONTH, 9, 8)),
        2,
        waits=False,
    )


def test_parallel_alone_is_a_rule() -> None:
    rules = compile_rules("key", "alice", KeyLimits(parallel=1))
    assert rules is not None
    assert (rules.bounds, rules.parallel, rules.waits) == ((), 1, True)


@table(
    ("text", "seconds"),
    [
        ("2027-01-01", 1798761600.0 - 3600),
        ("2027-01-01T00:00:00Z", 1798761600.0),
        ("2027-01-01T00:00+02:00", 1798761600.0 - 7200),
        (None, None),
    ],
)
def test_an_expiry_without_an_offset_is_in_the_time_zone(
    text: str | None, seconds: float | None
) -> None:
    assert expiry_of(KeyLimits(expires=text), ZoneInfo("Europe/Berlin")) == seconds
