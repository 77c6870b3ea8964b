"""Policies: three nodes, no network."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.pools.choose import choose
from casedesk_proxy.pools.node import NodeState

NOW = 1000.0
STATES = st.lists(
    st.builds(
        NodeState,
        name=st.text(min_size=1, max_size=3),
        limit=st.none() | st.integers(1, 5),
        weight=st.integers(1, 4),
        in_flight=st.integers(0, 5),
        failed_until=st.sampled_from([0.0, NOW + 1]),
    ),
    max_size=5,
)
POLICIES = st.sampled_from(["least-streams", "round-robin", "ordered"])


def three(**changes: dict[str, object]) -> list[NodeState]:
    return [NodeState(name, **changes.get(name, {})) for name in "abc"]  # type: ignore[arg-type]


def pick(policy: str, states: list[NodeState], turn: int = 0) -> str | None:
    chosen = choose(policy, states, turn, NOW)
    return chosen.name if chosen else None


@given(POLICIES, STATES, st.integers(0, 9))
def test_never_a_full_node_and_one_whenever_there_is_room(
    policy: str, states: list[NodeState], turn: int
) -> None:
    chosen = choose(policy, states, turn, NOW)
    if chosen is None:
        assert all(state.is_full() for state in states)
    else:
        assert not chosen.is_full()
        assert chosen.is_healthy(NOW) or not any(state.is_available(NOW) for state in states)


def test_least_streams_counts_streams_per_weight() -> None:
    assert pick("least-streams", three(a={"in_flight": 2}, b={"in_flight": 1})) == "c"
    heavy = three(a={"in_flight": 2, "weight": 4}, b={"in_flight": 1}, c={"in_flight": 1})
    assert pick("least-streams", heavy) == "a"


def test_idle_nodes_take_turns() -> None:
    states = three()
    order = []
    for _ in range(6):
        chosen = choose("least-streams", states, 0, NOW)
        assert chosen is not None
        chosen.begin()
        chosen.end()
        order.append(chosen.name)
    assert order == ["a", "b", "c", "a", "b", "c"]


def test_round_robin() -> None:
    assert [pick("round-robin", three(), turn) for turn in range(4)] == ["a", "b", "c", "a"]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, "a"),
        ({"a": {"in_flight": 1, "limit": 1}}, "b"),
        ({"a": {"failed_until": NOW + 1}}, "b"),
        ({name: {"failed_until": NOW + 1} for name in "abc"}, "a"),
    ],
)
def test_ordered_takes_the_first_available(
    changes: dict[str, dict[str, object]], wanted: str
) -> None:
    assert pick("ordered", three(**changes)) == wanted


def test_nobody() -> None:
    assert pick("ordered", []) is None
    assert pick("least-streams", three(**{n: {"limit": 1, "in_flight": 1} for n in "abc"})) is None
