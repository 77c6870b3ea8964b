"""Healthy, full, available: three words, three meanings."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from casedesk_proxy.pools.circuit_breaker import FIRST_COOLDOWN_S, NodeFault
from casedesk_proxy.pools.node import MAX_FULL_S, MAX_SERVICES, SENDING_WINDOW_S, NodeState
from tests.fixtures.table import table


@dataclass(eq=False)
class Talk:
    events: int = 0


def test_a_new_node_is_available() -> None:
    assert NodeState("a").is_available(0.0)


def test_full_is_not_unhealthy() -> None:
    state = NodeState("a", limit=1)
    slot = state.take(0.0)
    assert state.is_full(0.0)
    assert state.is_healthy(0.0)
    assert not state.is_available(0.0)
    state.release(slot)
    assert state.is_available(0.0)


@table(("limit", "slots", "room"), [(None, None, None), (3, None, 3), (None, 4, 4), (3, 4, 3)])
def test_what_the_configuration_allows_goes_before_what_the_engine_tells(
    limit: int | None, slots: int | None, room: int | None
) -> None:
    assert NodeState("a", limit=limit, slots=slots).capacity == room


def test_a_node_that_answers_429_is_full_for_a_while() -> None:
    state = NodeState("a")
    state.record_overload(100.0, 7.0, "m")
    assert state.is_full(106.9, "m")
    assert not state.is_full(106.9, "another model")
    assert state.full_for(106.9) == ["m"]
    assert state.full_for(107.0) == []
    assert not state.is_full(106.9)
    assert state.is_healthy(106.9)
    assert state.next_change(100.0) == 107.0
    assert not state.is_full(107.0, "m")
    state.record_overload(200.0, 1e9, "m")
    assert not state.is_full(200.0 + MAX_FULL_S, "m")
    state.record_overload(300.0, None, "m")
    assert state.is_full(300.5, "m")
    assert len(state.full_until) == 1, "what is over is forgotten"


def test_a_trial_is_over_when_it_has_its_reply_however_long_that_is() -> None:
    state = NodeState("a")
    state.record_failure(0.0, NodeFault.UNAVAILABLE, "x")
    first = state.take(FIRST_COOLDOWN_S)
    assert not state.is_healthy(FIRST_COOLDOWN_S), "one tries it"
    state.breaker.record_success()
    state.record_failure(50.0, NodeFault.UNAVAILABLE, "x")
    second = state.take(50.0 + FIRST_COOLDOWN_S)
    assert second.is_trial
    state.release(first)
    assert not state.is_healthy(50.0 + FIRST_COOLDOWN_S), "the second trial is still under way"
    state.release(second)
    assert state.is_healthy(50.0 + FIRST_COOLDOWN_S)


def test_a_draining_node_is_not_available_but_keeps_its_health() -> None:
    state = NodeState("a", draining=True)
    assert state.is_healthy(0.0)
    assert not state.is_available(0.0)


def test_a_failed_node_gets_one_trial_after_its_cool_down() -> None:
    state = NodeState("a")
    state.record_failure(100.0, NodeFault.UNREACHABLE, "refused")
    assert not state.is_available(100.0 + FIRST_COOLDOWN_S / 2)
    assert state.next_change(100.0) == 100.0 + FIRST_COOLDOWN_S
    later = 100.0 + FIRST_COOLDOWN_S
    assert state.is_available(later)
    trial = state.take(later)
    assert not state.is_available(later), "one at a time"
    state.release(trial)
    assert state.is_available(later), "a trial that tells nothing is repeated"
    assert state.last_error == "refused"


def test_what_was_under_way_does_not_end_the_trial() -> None:
    state = NodeState("a")
    old = state.take(99.0)
    state.record_failure(100.0, NodeFault.UNREACHABLE, "refused")
    trial = state.take(100.0 + FIRST_COOLDOWN_S)
    state.release(old)
    assert not state.is_healthy(100.0 + FIRST_COOLDOWN_S)
    state.release(trial)


def test_a_node_with_flowing_tokens_is_never_declared_dead() -> None:
    state, talk = NodeState("a"), Talk()
    state.take(99.0)
    state.begin_stream(talk)
    talk.events = 5
    state.record_failure(100.0, NodeFault.UNREACHABLE, "refused")
    assert state.is_healthy(100.0)
    assert state.last_error == "refused", "it is told nevertheless"
    state.record_failure(100.0 + SENDING_WINDOW_S / 2, NodeFault.UNREACHABLE, "refused")
    assert state.is_healthy(100.0 + SENDING_WINDOW_S / 2), "it has talked a moment ago"
    state.record_failure(100.0 + SENDING_WINDOW_S, NodeFault.UNREACHABLE, "refused")
    assert not state.is_healthy(100.0 + SENDING_WINDOW_S), "an open stream alone is no sign of life"


def test_a_hung_node_has_resumed_once_a_stream_moves() -> None:
    state, talk = NodeState("a"), Talk()
    state.begin_stream(talk)
    assert not state.has_resumed(100.0), "it does not hang"
    state.hung_at = 100.0
    assert not state.has_resumed(101.0)
    assert not state.is_healthy(101.0)
    talk.events = 1
    assert state.has_resumed(102.0)


def test_streams_that_ended_do_not_speak_for_a_node() -> None:
    state, talk = NodeState("a"), Talk(9)
    state.begin_stream(talk)
    state.end_stream(talk)
    state.end_stream(talk)
    state.record_failure(100.0, NodeFault.UNREACHABLE, "refused")
    assert not state.is_healthy(100.0)


def test_giving_back_twice_is_a_bug() -> None:
    state = NodeState("a")
    slot = state.take(0.0)
    state.release(slot)
    with pytest.raises(AssertionError):
        state.release(slot)
    assert state.in_flight == 0


def test_a_service_that_failed_is_lacking_for_a_while_and_the_others_are_not() -> None:
    state, lost, other = NodeState("a"), ("m", "chat"), ("m", "embeddings")
    assert state.record_service_failure(100.0, lost, NodeFault.ABSENT, "x")
    assert state.lacks(100.0, lost)
    assert not state.is_healthy(100.0, lost)
    assert state.is_healthy(100.0, other)
    assert state.is_healthy(100.0)
    assert state.next_change(100.0) == 100.0 + FIRST_COOLDOWN_S
    assert not state.lacks(100.0 + FIRST_COOLDOWN_S, lost)
    assert not state.record_service_failure(
        100.0 + FIRST_COOLDOWN_S, lost, NodeFault.ABSENT, "x"
    ), "known already"
    assert state.lacks(100.0 + FIRST_COOLDOWN_S * 2, lost), "for twice as long"
    state.record_head(lost)
    assert state.record_service_failure(103.0, lost, NodeFault.ABSENT, "x")
    state.clear_denials()
    assert not state.lacks(103.0, lost)


def test_names_that_clients_invent_are_not_remembered_for_ever() -> None:
    state = NodeState("a")
    for number in range(1000):
        state.record_service_failure(100.0, (f"m{number}", "chat"), NodeFault.ABSENT, "x")
    assert len(state.lacking(100.0)) == MAX_SERVICES
    assert state.lacks(100.0, ("m999", "chat"))


def test_of_many_streams_some_are_looked_at_in_turn() -> None:
    """Checking thousands of them would hold the loop up for milliseconds."""
    state, talks = NodeState("a"), [Talk() for _ in range(600)]
    for talk in talks:
        state.begin_stream(talk)
    assert not state.is_sending(100.0)
    talks[-1].events = 1
    assert not state.is_sending(101.0)
    assert state.is_sending(102.0), "the last of them is in the third look"
    talks[0].events = 1
    assert len(list(state.looks(200.0))) == 2
    assert state.last_heard_at == 200.0
    assert state.is_sending(200.0)
    assert not list(NodeState("b").looks(1.0))
