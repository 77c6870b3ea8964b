from __future__ import annotations

from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.limits.judging import (
    count_used,
    find_reached,
    find_tightest,
    find_warned,
    list_standings,
    refuse,
    refuse_parallel,
)
from casedesk_proxy.limits.use import Use
from casedesk_proxy.limits.windows import Calendar, Moment
from casedesk_proxy.terms import Limit, Standing, UseRules
from tests.fixtures.effort import examples
from tests.fixtures.table import table

CALENDAR = Calendar(UTC)
NEW_YEAR = 1798761600.0


def moment(wall: float = NEW_YEAR - 100, steady: float = 1000.0) -> Moment:
    return Moment(steady, wall, CALENDAR.today(wall))


def rules(*bounds: tuple[Limit, int | None, int | None], parallel: int | None = None) -> UseRules:
    return UseRules("key", "alice", bounds, parallel)


def list_all(given: UseRules, use: Use, running: int, now: Moment) -> list[Standing]:
    used, calm = count_used(given, use, running, now)
    standings = list_standings(given, use, used, now)
    assert calm is not bool(find_reached(standings) or find_warned(standings))
    return standings


def test_nothing_is_reached_below_the_limit_and_all_at_it() -> None:
    use, now, given = Use(), moment(), rules((Limit.TOKENS_PER_DAY, 10, None))
    use.add_tokens(now, 9)
    assert find_reached(list_all(given, use, 0, now)) is None
    use.add_tokens(now, 1)
    reached = find_reached(list_all(given, use, 0, now))
    assert reached is not None
    assert (reached.used, reached.hard) == (10, 10)


def test_what_runs_counts_as_far_as_it_has_come_but_not_as_a_request() -> None:
    now = moment()
    given = rules((Limit.REQUESTS_PER_MINUTE, 5, None), (Limit.TOKENS_PER_MINUTE, 5, None))
    requests, tokens = list_all(given, Use(), 5, now)
    assert (requests.used, tokens.used) == (0, 5)
    assert find_reached([requests, tokens]) is tokens


def test_a_soft_limit_refuses_nobody() -> None:
    use, now = Use(), moment()
    use.add_tokens(now, 100)
    (standing,) = list_all(rules((Limit.TOKENS_PER_DAY, None, 10)), use, 0, now)
    assert find_reached([standing]) is None
    assert (standing.soft, standing.used) == (10, 100)


def test_of_several_the_limit_that_lasts_longest_is_named() -> None:
    use, now = Use(), moment()
    use.add_tokens(now, 100)
    given = rules((Limit.TOKENS_PER_MINUTE, 10, None), (Limit.TOKENS_PER_DAY, 10, None))
    reached = find_reached(list_all(given, use, 0, now))
    assert reached is not None
    assert reached.limit is Limit.TOKENS_PER_DAY


@table(
    ("limit", "pause", "repeatable"),
    [
        (Limit.REQUESTS_PER_MINUTE, 60.0, True),
        (Limit.TOKENS_PER_MINUTE, 60.0, True),
        (Limit.TOKENS_PER_DAY, 100.0, False),
        (Limit.TOKENS_PER_MONTH, 100.0, False),
    ],
)
def test_a_refusal_says_which_limit_and_when_it_ends(
    limit: Limit, pause: float, repeatable: bool
) -> None:
    use, now = Use(), moment()
    use.add_request(now.steady)
    use.add_tokens(now, 1)
    reached = find_reached(list_all(rules((limit, 1, None)), use, 0, now))
    assert reached is not None
    error = refuse(reached, use, now)
    assert (error.status, error.retry_after, error.repeatable) == (429, pause, repeatable)
    assert limit.value in error.message
    assert "key 'alice'" in error.message
    assert error.standing.resets == now.wall + pause


def test_who_waits_for_a_minute_waits_for_what_runs_too() -> None:
    use, now = Use(), moment()
    use.add_recent(now.steady, 6, now.steady - 30)
    reached = find_reached(list_all(rules((Limit.TOKENS_PER_MINUTE, 10, None)), use, 5, now))
    assert reached is not None
    assert refuse(reached, use, now).retry_after == 30
    reached = find_reached(list_all(rules((Limit.TOKENS_PER_MINUTE, 10, None)), use, 20, now))
    assert reached is not None
    assert refuse(reached, use, now).retry_after == 60


def test_a_second_is_the_shortest_wait() -> None:
    use, now = Use(), moment(NEW_YEAR - 0.25)
    use.add_tokens(now, 1)
    reached = find_reached(list_all(rules((Limit.TOKENS_PER_DAY, 1, None)), use, 0, now))
    assert reached is not None
    assert refuse(reached, use, now).retry_after == 1.0


def test_too_many_at_once() -> None:
    error = refuse_parallel(rules(parallel=4), NEW_YEAR)
    assert (error.standing.limit, error.standing.used, error.standing.hard) == ("parallel", 4, 4)
    assert error.repeatable
    assert error.retry_after == 2.0


@given(
    costs=st.lists(st.integers(0, 30), max_size=60),
    limit=st.integers(1, 200),
    parallel=st.integers(1, 5),
)
@examples(200)
def test_no_more_than_what_runs_goes_beyond_a_limit_and_nobody_is_refused_below(
    costs: list[int], limit: int, parallel: int
) -> None:
    """Requests arrive in turns, and each runs until there is no room for another."""
    use, now, given = Use(), moment(), rules((Limit.TOKENS_PER_DAY, limit, None))
    running: list[int] = []
    for cost in costs:
        if len(running) == parallel:
            use.add_tokens(now, running.pop(0))
        used = use.used(Limit.TOKENS_PER_DAY, now)
        reached = find_reached(list_all(given, use, 0, now))
        assert (reached is not None) == (used >= limit)
        if reached is None:
            running.append(cost)
    for cost in running:
        use.add_tokens(now, cost)
    assert use.used(Limit.TOKENS_PER_DAY, now) < limit + parallel * 30


def test_a_soft_limit_that_is_passed_is_warned_of() -> None:
    use = Use()
    use.add_tokens(moment(), 8)
    both = rules((Limit.TOKENS_PER_DAY, 10, 8), (Limit.TOKENS_PER_MONTH, None, 9))
    (warned,) = find_warned(list_all(both, use, 0, moment()))
    assert (warned.limit, warned.soft, warned.used) == (Limit.TOKENS_PER_DAY, 8, 8)


def test_of_requests_and_of_tokens_the_limit_with_the_least_left_is_found() -> None:
    now, key, desk = moment(), Use(), Use()
    key.add_tokens(now, 10)
    desk.add_tokens(now, 400)
    desk.add_request(now.steady)
    of_key = rules(
        (Limit.TOKENS_PER_MONTH, 1000, None), (Limit.TOKENS_PER_DAY, 100, None),
        (Limit.REQUESTS_PER_MINUTE, None, 1),
    )  # fmt: skip
    of_desk = rules((Limit.TOKENS_PER_DAY, 450, None), (Limit.REQUESTS_PER_MINUTE, 7, None))

    def tightest(*scopes: tuple[UseRules, Use]) -> list[tuple[Limit, int | None, int]]:
        counted = [(given, use, *count_used(given, use, 0, now)) for given, use in scopes]
        return [(one.limit, one.hard, one.used) for one in find_tightest(counted, now)]

    assert tightest((of_key, key)) == [(Limit.TOKENS_PER_DAY, 100, 10)]
    assert tightest((of_key, key), (of_desk, desk)) == [
        (Limit.REQUESTS_PER_MINUTE, 7, 1), (Limit.TOKENS_PER_DAY, 450, 400),
    ]  # fmt: skip
    assert tightest() == []
