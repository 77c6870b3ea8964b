"""Which of a request's nodes are left, and what happens once a reply has begun."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

import pytest

from casedesk_proxy.planning.plan import Plan
from casedesk_proxy.pools.control_memory import ControlMemory
from casedesk_proxy.pools.policies import Demand
from casedesk_proxy.pools.retry import Failure
from casedesk_proxy.replying.record import Phase
from casedesk_proxy.terms import Control, Framing
from casedesk_proxy.upstream.attempts import Attempts, Beginning, Next
from tests.fixtures.table import table
from tests.upstream.specs import snapshot

NODE = "url: 'http://127.0.0.1:9', engine: openai"
EFFORT = {Control.EFFORT: "reasoning_effort"}
BOTH = {Control.EFFORT: "reasoning_effort", Control.LEVELS: "reasoning_effort"}


def plan(thinking: str = "") -> Plan:
    found = snapshot(**dict.fromkeys("abc", NODE + thinking))
    nodes = tuple(found.nodes.values())
    demand = Demand("round-robin", tuple(found.nodes))
    return Plan(found.deployments["d"], "m", "m", nodes, {}, Framing.SSE, demand)


def attempts(memory: ControlMemory | None = None, made: Plan | None = None) -> Attempts:
    """Attempts in which one node has been asked."""
    tried = Attempts("key", memory or ControlMemory())
    tried.begin(made or plan(), 0.0)
    tried.ask("a")
    return tried


def began(
    tried: Attempts,
    controls: Mapping[Control, str] = EFFORT,
    *,
    granted: bool = False,
    refused: bool = False,
    lost: bool = False,
    status: int = 400,
    says: str = "reasoning_effort is not supported",
) -> Beginning:
    body = json.dumps({"error": {"message": says}}).encode()
    node = next(one for one in tried.plan.nodes if one.name == tried.node)
    return Beginning(node, controls, granted, refused, lost, (status, body))


# Nodes.


def test_a_node_that_is_asked_is_counted() -> None:
    tried = attempts()
    assert (tried.count, tried.node, tried.phase) == (1, "a", Phase.WAITING)
    with pytest.raises(KeyError):
        tried.ask("elsewhere")


def test_one_that_failed_is_left_out_of_the_demand() -> None:
    tried = attempts()
    assert tried.demand() is tried.plan.demand
    tried.note_failure("a", Failure.CONNECT, 5.0)
    assert tried.demand().nodes == ("b", "c")
    assert tried.tried == (("a", "connect"),)
    assert tried.last_failure == ("a", "connect")
    assert tried.lost == frozenset()


def test_the_first_failure_sets_the_time_for_all() -> None:
    tried = attempts()
    limit = tried.plan.deployment.config.failover_timeout
    assert tried.give_up_at == float("inf")
    tried.note_failure("a", Failure.CONNECT, 5.0)
    tried.note_failure("b", Failure.CONNECT, 6.0)
    assert tried.give_up_at == 5.0 + limit


def test_a_new_search_asks_no_node_that_was_lost_with_the_request() -> None:
    tried = attempts()
    tried.note_failure("a", Failure.REFUSED, 1.0)
    tried.ask("b")
    assert tried.decide(began(tried, lost=True), may_move_on=True) is Next.MOVE_ON
    tried.begin(tried.plan, 7.0)
    assert [node.name for node in tried.untried] == ["a", "c"], "who refused may be asked again"
    assert tried.replays == 1
    assert tried.last_failure == ("b", Failure.LOST)
    assert tried.give_up_at == 7.0 + tried.plan.deployment.config.failover_timeout


# A reply that has begun.


def test_a_lost_one_stays_where_it_may_not_move_on() -> None:
    tried = attempts()
    assert tried.decide(began(tried, lost=True), may_move_on=False) is Next.DELIVER
    assert tried.tried == ()


def test_a_refused_control_is_left_out_and_remembered_once_it_helped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    memory = ControlMemory()
    tried = attempts(memory)
    assert tried.decide(began(tried, refused=True), may_move_on=False) is Next.LEAVE_OUT
    assert tried.without == {Control.EFFORT}
    assert tried.repeats == 1
    assert not memory.refused, "nothing shows yet that it was the control"
    with caplog.at_level(logging.INFO):
        answer = began(tried, {}, granted=True)
        assert tried.decide(answer, may_move_on=False) is Next.DELIVER
    assert memory.refused == {("a", "m"): {Control.EFFORT}}
    assert "nodes.a.thinking" in caplog.text


def test_what_a_node_takes_is_remembered() -> None:
    memory = ControlMemory()
    tried = attempts(memory)
    assert tried.decide(began(tried, granted=True), may_move_on=False) is Next.DELIVER
    assert memory.taken == {("a", "m"): {Control.EFFORT}}
    assert not memory.refused


def test_where_a_part_did_not_help_all_are_left_out() -> None:
    tried = attempts()
    says = "reasoning_effort: invalid value"
    tried.decide(began(tried, BOTH, refused=True, says=says), may_move_on=False)
    first = tried.without
    assert tried.decide(began(tried, BOTH, refused=True), may_move_on=False) is Next.LEAVE_OUT
    assert first <= tried.without == set(BOTH)


@table(
    ("changes", "thinking"),
    [
        ({"status": 404}, ""),
        ({"says": "the context length is exceeded"}, ""),
        ({"controls": {}}, ""),
        ({}, ", thinking: {m: effort}"),
    ],
    ids=["another status", "another reason", "no control", "the operator knows better"],
)
def test_other_errors_are_the_clients(changes: dict[str, object], thinking: str) -> None:
    tried = attempts(made=plan(thinking))
    beginning = began(tried, refused=True, **changes)  # type: ignore[arg-type]
    assert tried.decide(beginning, may_move_on=False) is Next.DELIVER
    assert tried.without == frozenset()
    assert tried.repeats == 0


def test_from_a_refusal_that_came_too_late_is_learnt_what_the_node_says() -> None:
    memory = ControlMemory()
    tried = attempts(memory)
    tried.learn_late(began(tried, refused=True))
    assert memory.refused == {("a", "m"): {Control.EFFORT}}


def test_from_one_without_a_reason_nothing_is() -> None:
    memory = ControlMemory()
    tried = attempts(memory)
    tried.learn_late(began(tried, refused=True, says="bad request"))
    assert not memory.refused
