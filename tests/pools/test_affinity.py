"""The same conversation goes to the same node, but no node is overloaded by that."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.pools.affinity import MAX_LOAD_FACTOR, pick_by_affinity, score
from casedesk_proxy.pools.node import NodeState

KEYS = [b"conversation %d" % number for number in range(3000)]


def nodes(*weights: int) -> list[NodeState]:
    return [NodeState(f"node{number}", weight=weight) for number, weight in enumerate(weights)]


def owners(states: list[NodeState]) -> dict[bytes, str]:
    return {key: pick_by_affinity(key, states, states).name for key in KEYS}


def test_the_same_in_every_process() -> None:
    assert score(b"key", "gpu0", 1) == score(b"key", "gpu0", 1)
    assert math.isclose(score(b"key", "gpu0", 3), 3 * score(b"key", "gpu0", 1))


def test_keys_are_shared_by_weight() -> None:
    held = list(owners(nodes(1, 1, 2)).values())
    for name, share in (("node0", 0.25), ("node1", 0.25), ("node2", 0.5)):
        assert abs(held.count(name) / len(KEYS) - share) < 0.04


def test_only_the_keys_of_a_node_that_left_move() -> None:
    before, after = owners(nodes(1, 1, 1, 1)), owners(nodes(1, 1, 1))
    assert all(before[key] in (after[key], "node3") for key in KEYS)


def test_a_full_node_passes_its_keys_to_the_same_next_one() -> None:
    states = nodes(1, 1, 1)
    key = KEYS[0]
    first = pick_by_affinity(key, states, states)
    rest = [state for state in states if state is not first]
    assert pick_by_affinity(key, rest, states) is pick_by_affinity(key, rest, states)
    assert pick_by_affinity(key, rest, states) is not first


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(1, 80))
def test_one_hot_key_loads_no_node_far_beyond_its_share(weights: list[int], count: int) -> None:
    states = nodes(*weights)
    for _ in range(count):
        pick_by_affinity(b"hot", states, states).take(0.0)
    for state in states:
        assert state.in_flight <= math.ceil(MAX_LOAD_FACTOR * count * state.weight / sum(weights))
