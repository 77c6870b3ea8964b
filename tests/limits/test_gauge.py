from __future__ import annotations

import math
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.limits.gauge import Gauge
from casedesk_proxy.limits.judging import count_used, find_tightest
from casedesk_proxy.limits.use import PastUse, Use
from casedesk_proxy.limits.windows import Calendar, Moment, Second
from casedesk_proxy.terms import Limit, UseRules
from tests.fixtures.effort import examples

CALENDAR = Calendar(UTC)
NEW_YEAR = 1798761600.0
WINDOWED = [one for one in Limit if one is not Limit.PARALLEL]


def moment(seconds: float) -> Moment:
    wall = NEW_YEAR + seconds
    return Moment(1000.25 + seconds, wall, CALENDAR.today(wall))


def rules(*bounds: tuple[Limit, int | None, int | None]) -> UseRules:
    return UseRules("key", "alice", bounds)


def read(gauge: Gauge, second: Second) -> None:
    if gauge.use.second is not second or gauge.use.epoch is not gauge.epoch:
        gauge.read(second)


def test_a_limit_is_near_once_so_many_have_asked_or_so_much_is_spent() -> None:
    use, second = Use(), Second.at(moment(0.5))
    use.add_request(second.begun.steady)
    use.add_tokens(second.begun, 40)
    gauge = Gauge(
        rules(
            (Limit.REQUESTS_PER_MINUTE, 3, None), (Limit.TOKENS_PER_MINUTE, 100, 80),
            (Limit.TOKENS_PER_DAY, 90, None),
        ),
        use,
    )  # fmt: skip
    gauge.read(second)
    assert (gauge.calm_asked, gauge.full_asked) == (2, 2)
    assert (gauge.calm_spent, gauge.full_spent) == (40, 50)
    assert gauge.tightest is Limit.TOKENS_PER_DAY
    assert gauge.show(Limit.TOKENS_PER_DAY, second.begun) == (90, NEW_YEAR + 86400)
    assert gauge.show(Limit.REQUESTS_PER_MINUTE, second.begun) == (3, NEW_YEAR + 59.75)


def test_without_a_limit_nothing_is_ever_near() -> None:
    gauge = Gauge(rules(), Use())
    gauge.read(Second.at(moment(0.0)))
    limits = gauge.calm_asked, gauge.calm_spent, gauge.full_asked, gauge.full_spent
    assert limits == (math.inf,) * 4


@given(
    bounds=st.lists(
        st.tuples(
            st.sampled_from(WINDOWED),
            st.integers(1, 60) | st.none(), st.integers(1, 60) | st.none(),
        ),
        unique_by=lambda one: one[0],
    ),
    steps=st.lists(
        st.tuples(
            st.sampled_from(("ask", "spend", "others", "anew")),
            st.integers(0, 20), st.sampled_from((0.0, 0.125, 0.5, 1.0, 30.0, 61.0)),
        ),
        max_size=30,
    ),
    running=st.integers(0, 5),
)  # fmt: skip
@examples(200)
def test_it_says_what_judging_says(
    bounds: list[tuple[Limit, int | None, int | None]],
    steps: list[tuple[str, int, float]],
    running: int,
) -> None:
    """The test covers a New Year's midnight, and counts that this or another process adds
    meanwhile."""
    given_rules = rules(*sorted(bounds, key=lambda one: WINDOWED.index(one[0])))
    use, plain, at = Use(), Use(), -70.0
    gauge, second = Gauge(given_rules, use), Second.at(moment(at))
    for what, amount, pause in steps:
        at += pause
        now = moment(at)
        if now.steady >= second.until:
            second = Second.at(now)
        read(gauge, second)
        if what == "ask":
            use.asked += 1
            plain.add_request(now.steady)
        elif what == "spend":
            use.spent += amount
            plain.add_tokens(now, amount)
        elif what == "others":
            for one in (use, plain):
                one.add_request(now.steady, now.steady - 3 * amount)
                one.add_recent(now.steady, amount, now.steady - amount)
                one.add_past(now.today, amount)
        else:
            for one in (use, plain):
                one.replace(PastUse())
        read(gauge, second)
        counts, calm = count_used(given_rules, plain, running, now)
        asked, spent = use.asked, use.spent + running
        assert (asked < gauge.calm_asked and spent < gauge.calm_spent) is calm
        if calm:
            told = find_tightest([(given_rules, plain, counts, calm)], now)
            left = [one.hard - one.used for one in told if one.hard is not None]
            mine = [
                full - used
                for full, used in ((gauge.full_asked, asked), (gauge.full_spent, spent))
                if full < math.inf
            ]
            assert mine == left
            for one in told:
                if one.limit is not Limit.REQUESTS_PER_MINUTE:
                    assert one.limit is gauge.tightest
                assert gauge.show(one.limit, now) == (one.hard, one.resets)
    for limit in WINDOWED:
        assert use.used(limit, moment(at)) == plain.used(limit, moment(at))
