"""Strikes, cool-downs, trials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.pools.health import FIRST, LONGEST, MEMORY, Fault, Health

SURE = [Fault.UNREACHABLE, Fault.UNAVAILABLE, Fault.ABSENT]
DOUBTFUL = [Fault.ERROR, Fault.BROKE, Fault.SILENT, Fault.DENIED]


@pytest.mark.parametrize("fault", SURE)
def test_what_is_surely_the_nodes_fault_takes_it_out_at_once(fault: Fault) -> None:
    health = Health()
    health.fail(10.0, fault, "x")
    assert health.is_cooling(10.0)
    assert not health.may_serve(10.0 + FIRST - 0.01)
    assert health.may_serve(10.0 + FIRST)


@pytest.mark.parametrize("fault", DOUBTFUL)
def test_what_may_be_the_requests_fault_has_to_come_three_times(fault: Fault) -> None:
    health = Health()
    health.fail(1.0, fault, "x")
    health.fail(2.0, fault, "x")
    assert health.is_well()
    health.succeed()
    health.fail(3.0, fault, "x")
    health.fail(4.0, fault, "x")
    assert health.is_well()
    health.fail(5.0, fault, "x")
    assert health.is_cooling(5.0)


def test_old_strikes_are_forgotten() -> None:
    health = Health()
    for count in range(5):
        health.fail(count * (MEMORY + 1), Fault.ERROR, "x")
    assert health.is_well()


def test_cool_downs_double_up_to_a_limit_and_a_success_forgets_them() -> None:
    health, now, pauses = Health(), 100.0, []
    for _ in range(40):
        health.fail(now, Fault.ERROR if health.rounds else Fault.UNREACHABLE, "x")
        pauses.append(health.until - now)
        now = health.until
    assert pauses[:4] == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST]
    assert pauses[-1] == LONGEST
    health.succeed()
    assert health.may_serve(0.0)
    health.fail(now, Fault.UNREACHABLE, "x")
    assert health.until - now == FIRST


def test_faults_of_what_was_under_way_make_a_cool_down_no_longer() -> None:
    health = Health()
    for moment in (10.0, 10.1, 10.2):
        health.fail(moment, Fault.UNREACHABLE, "x")
    assert health.until == 10.0 + FIRST


def test_a_probe_cannot_see_that_a_node_breaks_its_streams() -> None:
    seen, unseen = Health(), Health()
    seen.fail(1.0, Fault.UNAVAILABLE, "x")
    seen.seen_alive()
    assert seen.is_well()
    for _ in range(3):
        unseen.fail(1.0, Fault.BROKE, "x")
    unseen.seen_alive()
    assert unseen.is_cooling(1.0)


def test_a_probe_that_finds_nobody_draws_the_cool_down_out() -> None:
    health = Health()
    health.seen_dead(1.0)
    assert health.may_serve(1.0)
    health.fail(1.0, Fault.UNREACHABLE, "x")
    for now in (1.9, 3.5, 5.0):
        assert health.is_cooling(now)
        health.seen_dead(now)
    assert health.may_serve(5.0 + 2 * FIRST)
    health.seen_alive()
    assert health.is_well()


def test_an_answer_of_any_kind_heals_what_lacked_one_and_wipes_no_strikes() -> None:
    health = Health()
    health.fail(1.0, Fault.ERROR, "x")
    health.seen_alive()
    assert health.strikes == 1
    health.fail(1.0, Fault.UNREACHABLE, "x")
    assert not health.is_well()
    health.seen_alive()
    assert health.is_well()


def test_the_heads_of_replies_do_not_excuse_that_they_break() -> None:
    health, now = Health(), 100.0
    for _ in range(3):
        assert health.is_well()
        health.begin()
        health.fail(now, Fault.BROKE, "x")
    assert health.is_cooling(now)
    health.begin()
    assert health.may_serve(health.until), "others may be served while the trial's reply flows"
    health.fail(health.until, Fault.BROKE, "x")
    assert health.rounds == 2
    health.begin()
    health.succeed()
    assert health.is_well()
    health.fail(now, Fault.ERROR, "x")
    health.fail(now, Fault.BROKE, "x")
    health.begin()
    assert health.strikes == 1, "of the others it does"


def test_another_key_heals_what_was_refused() -> None:
    for fault, healed in ((Fault.DENIED, True), (Fault.ERROR, False)):
        health = Health()
        for _ in range(3):
            health.fail(1.0, fault, "x")
        health.seen_alive()
        assert health.is_cooling(1.0)
        health.forgive()
        assert health.is_well() is healed


STEPS = st.lists(
    st.tuples(
        st.floats(0, 100), st.sampled_from([*Fault, "succeed", "begin", "alive", "dead", "forgive"])
    ),
    max_size=60,
)


@given(STEPS)
def test_no_history_keeps_a_node_out_for_longer_than_the_longest_cool_down(
    steps: list[tuple[float, object]],
) -> None:
    health, now = Health(), 0.0
    for pause, step in steps:
        now += pause
        if isinstance(step, Fault):
            health.fail(now, step, "x")
        elif step == "succeed":
            health.succeed()
        elif step == "begin":
            health.begin()
        elif step == "alive":
            health.seen_alive()
        elif step == "dead":
            health.seen_dead(now)
        else:
            health.forgive()
        assert health.may_serve(now + LONGEST)
        assert health.is_cooling(now) is not health.may_serve(now)
