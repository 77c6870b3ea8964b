"""Which thinking controls a node's model refuses or accepts, as its replies have shown."""

from __future__ import annotations

from casedesk_proxy.pools.control_memory import ControlMemory
from casedesk_proxy.terms import Control

EFFORT, LEVELS = frozenset({Control.EFFORT}), frozenset({Control.LEVELS})


def test_what_is_refused_is_news_once() -> None:
    memory = ControlMemory()
    assert memory.record_refused("a", "m", EFFORT) == EFFORT
    assert memory.record_refused("a", "m", EFFORT | LEVELS) == LEVELS
    assert memory.record_refused("a", "m", EFFORT | LEVELS) == frozenset()
    assert memory.refused == {("a", "m"): EFFORT | LEVELS}


def test_a_model_at_another_node_is_another_one() -> None:
    memory = ControlMemory()
    memory.record_refused("a", "m", EFFORT)
    memory.record_taken("b", "m", EFFORT)
    assert ("b", "m") not in memory.refused
    assert memory.taken == {("b", "m"): EFFORT}


def test_mappings_that_were_handed_out_do_not_change() -> None:
    memory = ControlMemory()
    memory.record_taken("a", "m", EFFORT)
    taken = memory.taken
    memory.record_taken("a", "m", EFFORT)
    assert memory.taken is taken, "nothing new"
    memory.record_taken("a", "m", LEVELS)
    assert taken == {("a", "m"): EFFORT}
    assert memory.taken == {("a", "m"): EFFORT | LEVELS}


def test_a_new_configuration_starts_afresh() -> None:
    memory = ControlMemory()
    memory.record_refused("a", "m", EFFORT)
    memory.record_taken("a", "m", LEVELS)
    memory.clear()
    assert memory.refused == memory.taken == {}


def test_names_that_clients_invent_are_not_remembered_for_ever() -> None:
    memory = ControlMemory()
    for number in range(1001):
        memory.record_refused("a", f"m{number}", EFFORT)
    assert len(memory.refused) == 1000
    assert ("a", "m0") not in memory.refused, "the first is forgotten first"
    assert ("a", "m1000") in memory.refused
