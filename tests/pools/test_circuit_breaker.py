"""Closed, open, half-open: failures, cool-downs, trials."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.pools.circuit_breaker import (
    FAILURE_WINDOW_S,
    FIRST_COOLDOWN_S,
    MAX_COOLDOWN_S,
    CircuitBreaker,
    NodeFault,
)
from tests.fixtures.table import table

SURE = [NodeFault.UNREACHABLE, NodeFault.UNAVAILABLE, NodeFault.ABSENT]
DOUBTFUL = [NodeFault.ERROR, NodeFault.BROKE, NodeFault.SILENT, NodeFault.DENIED]


@table("fault", SURE)
def test_what_is_surely_the_nodes_fault_takes_it_out_at_once(fault: NodeFault) -> None:
    breaker = CircuitBreaker()
    breaker.record_failure(10.0, fault, "x")
    assert breaker.is_open(10.0)
    assert not breaker.allows_request(10.0 + FIRST_COOLDOWN_S - 0.01)
    assert breaker.allows_request(10.0 + FIRST_COOLDOWN_S)


@table("fault", DOUBTFUL)
def test_what_may_be_the_requests_fault_has_to_come_three_times(fault: NodeFault) -> None:
    breaker = CircuitBreaker()
    breaker.record_failure(1.0, fault, "x")
    breaker.record_failure(2.0, fault, "x")
    assert breaker.is_closed()
    breaker.record_success()
    breaker.record_failure(3.0, fault, "x")
    breaker.record_failure(4.0, fault, "x")
    assert breaker.is_closed()
    breaker.record_failure(5.0, fault, "x")
    assert breaker.is_open(5.0)


def test_old_strikes_are_forgotten() -> None:
    breaker = CircuitBreaker()
    for count in range(5):
        breaker.record_failure(count * (FAILURE_WINDOW_S + 1), NodeFault.ERROR, "x")
    assert breaker.is_closed()


def test_cool_downs_double_up_to_a_limit_and_a_success_forgets_them() -> None:
    breaker, now, pauses = CircuitBreaker(), 100.0, []
    for _ in range(40):
        breaker.record_failure(
            now, NodeFault.ERROR if breaker.openings else NodeFault.UNREACHABLE, "x"
        )
        pauses.append(breaker.open_until - now)
        now = breaker.open_until
    assert pauses[:4] == [
        FIRST_COOLDOWN_S,
        2 * FIRST_COOLDOWN_S,
        4 * FIRST_COOLDOWN_S,
        8 * FIRST_COOLDOWN_S,
    ]
    assert pauses[-1] == MAX_COOLDOWN_S
    breaker.record_success()
    assert breaker.allows_request(0.0)
    breaker.record_failure(now, NodeFault.UNREACHABLE, "x")
    assert breaker.open_until - now == FIRST_COOLDOWN_S


def test_faults_of_what_was_under_way_make_a_cool_down_no_longer() -> None:
    breaker = CircuitBreaker()
    for moment in (10.0, 10.1, 10.2):
        breaker.record_failure(moment, NodeFault.UNREACHABLE, "x")
    assert breaker.open_until == 10.0 + FIRST_COOLDOWN_S


def test_a_probe_cannot_see_that_a_node_breaks_its_streams() -> None:
    seen, unseen = CircuitBreaker(), CircuitBreaker()
    seen.record_failure(1.0, NodeFault.UNAVAILABLE, "x")
    seen.probe_ok()
    assert seen.is_closed()
    for _ in range(3):
        unseen.record_failure(1.0, NodeFault.BROKE, "x")
    unseen.probe_ok()
    assert unseen.is_open(1.0)


def test_a_probe_that_finds_nobody_draws_the_cool_down_out() -> None:
    breaker = CircuitBreaker()
    breaker.probe_failed(1.0)
    assert breaker.allows_request(1.0)
    breaker.record_failure(1.0, NodeFault.UNREACHABLE, "x")
    for now in (1.9, 3.5, 5.0):
        assert breaker.is_open(now)
        breaker.probe_failed(now)
    assert breaker.allows_request(5.0 + 2 * FIRST_COOLDOWN_S)
    breaker.probe_ok()
    assert breaker.is_closed()


def test_an_answer_of_any_kind_heals_what_lacked_one_and_wipes_no_strikes() -> None:
    breaker = CircuitBreaker()
    breaker.record_failure(1.0, NodeFault.ERROR, "x")
    breaker.probe_ok()
    assert breaker.failures == 1
    breaker.record_failure(1.0, NodeFault.UNREACHABLE, "x")
    assert not breaker.is_closed()
    breaker.probe_ok()
    assert breaker.is_closed()


def test_the_heads_of_replies_do_not_excuse_that_they_break() -> None:
    breaker, now = CircuitBreaker(), 100.0
    for _ in range(3):
        assert breaker.is_closed()
        breaker.record_head()
        breaker.record_failure(now, NodeFault.BROKE, "x")
    assert breaker.is_open(now)
    breaker.record_head()
    assert breaker.allows_request(breaker.open_until), (
        "others may be served while the trial's reply flows"
    )
    breaker.record_failure(breaker.open_until, NodeFault.BROKE, "x")
    assert breaker.openings == 2
    breaker.record_head()
    breaker.record_success()
    assert breaker.is_closed()
    breaker.record_failure(now, NodeFault.ERROR, "x")
    breaker.record_failure(now, NodeFault.BROKE, "x")
    breaker.record_head()
    assert breaker.failures == 1, "of the others it does"


def test_another_key_heals_what_was_refused() -> None:
    for fault, healed in ((NodeFault.DENIED, True), (NodeFault.ERROR, False)):
        breaker = CircuitBreaker()
        for _ in range(3):
            breaker.record_failure(1.0, fault, "x")
        breaker.probe_ok()
        assert breaker.is_open(1.0)
        breaker.clear_denial()
        assert breaker.is_closed() is healed


STEPS = st.lists(
    st.tuples(
        st.floats(0, 100),
        st.sampled_from([*NodeFault, "succeed", "begin", "alive", "dead", "forgive"]),
    ),
    max_size=60,
)


@given(STEPS)
def test_no_history_keeps_a_node_out_for_longer_than_the_longest_cool_down(
    steps: list[tuple[float, object]],
) -> None:
    breaker, now = CircuitBreaker(), 0.0
    for pause, step in steps:
        now += pause
        if isinstance(step, NodeFault):
            breaker.record_failure(now, step, "x")
        elif step == "succeed":
            breaker.record_success()
        elif step == "begin":
            breaker.record_head()
        elif step == "alive":
            breaker.probe_ok()
        elif step == "dead":
            breaker.probe_failed(now)
        else:
            breaker.clear_denial()
        assert breaker.allows_request(now + MAX_COOLDOWN_S)
        assert breaker.is_open(now) is not breaker.allows_request(now)
