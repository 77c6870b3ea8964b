"""Policies: three nodes, no network."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.pools.circuit_breaker import CircuitBreaker, NodeFault
from casedesk_proxy.pools.node import NodeState
from casedesk_proxy.pools.policies import Demand, choose, is_hopeless
from tests.fixtures.table import table

NOW = 1000.0
POLICY_NAMES = ["least-streams", "round-robin", "ordered", "prefix-affinity"]


def ill() -> CircuitBreaker:
    breaker = CircuitBreaker()
    breaker.record_failure(NOW, NodeFault.UNREACHABLE, "refused")
    return breaker


STATES = st.lists(
    st.builds(
        NodeState,
        name=st.text(min_size=1, max_size=3),
        limit=st.none() | st.integers(1, 5),
        weight=st.integers(1, 4),
        in_flight=st.integers(0, 5),
        draining=st.booleans(),
        breaker=st.builds(CircuitBreaker) | st.builds(ill),
    ),
    max_size=5,
)
POLICIES = st.sampled_from(POLICY_NAMES)


def three(**changes: dict[str, object]) -> list[NodeState]:
    return [NodeState(name, **changes.get(name, {})) for name in "abc"]  # type: ignore[arg-type]


def wish(policy: str, cold: str = "", key: bytes = b"") -> Demand:
    return Demand(policy, ("a", "b", "c"), frozenset(cold), key)


def pick(policy: str, states: list[NodeState], turn: int = 0, cold: str = "") -> str | None:
    chosen = choose(wish(policy, cold), states, turn, NOW)
    return chosen.name if chosen else None


@given(POLICIES, STATES, st.integers(0, 9), st.sets(st.text(max_size=2)), st.binary(max_size=3))
def test_never_a_full_or_draining_node_nor_an_ill_one_while_one_is_healthy(
    policy: str, states: list[NodeState], turn: int, cold: set[str], key: bytes
) -> None:
    chosen = choose(Demand(policy, (), frozenset(cold), key), states, turn, NOW)
    staying = [state for state in states if not state.draining]
    healthy = [state for state in staying if state.is_healthy(NOW)]
    if chosen is None:
        assert all(state.is_full(NOW) for state in healthy or staying)
    else:
        assert chosen in (healthy or staying)
        assert not chosen.is_full(NOW)


@table("policy", [name for name in POLICY_NAMES if name != "ordered"])
def test_a_node_that_has_the_model_loaded_is_preferred(policy: str) -> None:
    assert pick(policy, three(c={"in_flight": 3}), cold="ab") == "c"
    assert pick(policy, three(a={"in_flight": 3}), cold="bc") == "a"
    assert pick(policy, three(a={"in_flight": 3, "limit": 3}), cold="bc") in ("b", "c")
    assert pick(policy, three(a={"breaker": ill()}), cold="bc") in ("b", "c")


def test_least_streams_counts_streams_per_weight() -> None:
    assert pick("least-streams", three(a={"in_flight": 2}, b={"in_flight": 1})) == "c"
    heavy = three(a={"in_flight": 2, "weight": 4}, b={"in_flight": 1}, c={"in_flight": 1})
    assert pick("least-streams", heavy) == "a"


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 60))
def test_least_streams_gives_every_node_its_share_by_weight(weights: list[int], count: int) -> None:
    states = [NodeState(str(number), weight=weight) for number, weight in enumerate(weights)]
    for _ in range(count):
        chosen = choose(wish("least-streams"), states, 0, NOW)
        assert chosen is not None
        chosen.take(NOW)
    for state in states:
        assert state.in_flight >= count * state.weight // sum(weights)


def test_idle_nodes_take_turns() -> None:
    states = three()
    order = []
    for _ in range(6):
        chosen = choose(wish("least-streams"), states, 0, NOW)
        assert chosen is not None
        chosen.release(chosen.take(NOW))
        order.append(chosen.name)
    assert order == ["a", "b", "c", "a", "b", "c"]


def test_round_robin() -> None:
    assert [pick("round-robin", three(), turn) for turn in range(4)] == ["a", "b", "c", "a"]


@table(
    ("changes", "wanted"),
    [
        ({}, "a"),
        ({"a": {"in_flight": 1, "limit": 1}}, "b"),
        ({"a": {"breaker": ill()}}, "b"),
        ({"a": {"draining": True}}, "b"),
        ({name: {"breaker": ill()} for name in "abc"}, "a"),
    ],
)
def test_ordered_takes_the_first_available(
    changes: dict[str, dict[str, object]], wanted: str
) -> None:
    assert pick("ordered", three(**changes)) == wanted


def test_an_order_holds_even_where_the_first_has_to_load_the_model() -> None:
    """The node has unloaded the model after minutes without a request; the next node may cost
    money."""
    assert pick("ordered", three(), cold="a") == "a"
    assert pick("ordered", three(), cold="ab") == "a"


def test_waiting_for_a_healthy_node_is_better_than_trying_an_ill_one() -> None:
    states = three(a={"breaker": ill()}, b={"limit": 1, "in_flight": 1}, c={"breaker": ill()})
    assert pick("ordered", states) is None


def test_nobody() -> None:
    assert pick("ordered", []) is None
    assert pick("least-streams", three(**{n: {"limit": 1, "in_flight": 1} for n in "abc"})) is None
    assert is_hopeless([])
    assert is_hopeless(three(**{n: {"draining": True} for n in "abc"}))
    assert not is_hopeless(three(a={"draining": True}))


@table("policy", POLICY_NAMES)
def test_a_hung_node_comes_behind_every_other(policy: str) -> None:
    states = three(a={"hung_at": 1.0}, b={"in_flight": 9}, c={"draining": True})
    assert pick(policy, states) == "b"
    states[1].breaker = ill()
    assert pick(policy, states) == "b", "even one that failed a moment ago"
    states[1].draining = True
    assert pick(policy, states) == "a"


@table("policy", POLICY_NAMES)
def test_a_node_that_lacks_the_model_comes_behind_those_that_have_it(policy: str) -> None:
    states = three(a={"draining": True})
    states[1].record_service_failure(NOW, ("m", "chat"), NodeFault.ABSENT, "x")
    wished = Demand(policy, ("a", "b", "c"), model="m", action="chat")
    for turn in range(3):
        chosen = choose(wished, states, turn, NOW)
        assert chosen is states[2]
    states[2].breaker = ill()
    assert choose(wished, states, 0, NOW) is states[1], "it answers, at least"
