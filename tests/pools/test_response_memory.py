"""Which node keeps which response and whose it is, for a limited time and number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.pools.response_memory import Owner, ResponseMemory

ANN, BOB = ("d", "ann"), ("d", "bob")


def test_whoever_had_it_made_finds_it() -> None:
    memory = ResponseMemory()
    memory.record(ANN, "resp_1", "gpu0", "tiny", "gpt", 0.0)
    keeper = memory.find(ANN, "resp_1", 1.0)
    assert keeper is not None
    assert (keeper.node, keeper.model, keeper.asked) == ("gpu0", "tiny", "gpt")


class Names:
    def __init__(self, size: int) -> None:
        self.size = size


def test_names_have_bounds_and_the_response_is_known_without_them() -> None:
    memory = ResponseMemory(most_of_one=2, most_names=20)
    sizes = {"a": 10, "b": 11, "c": 10, "d": 5, "e": 2**18 + 1}
    known = {}
    for ident, size in sizes.items():
        memory.record(ANN, ident, "gpu0", "tiny", "gpt", 0.0, Names(size))
        keeper = memory.find(ANN, ident, 1.0)
        assert keeper is not None
        known[ident] = keeper.names is not None
    # When c comes, a is still there; when d does, it is not.
    assert known == {"a": True, "b": False, "c": True, "d": True, "e": False}


def test_nobody_else_does() -> None:
    memory = ResponseMemory()
    memory.record(ANN, "resp_1", "gpu0", "tiny", "gpt", 0.0)
    assert memory.find(BOB, "resp_1", 1.0) is None
    assert memory.find(("other", "ann"), "resp_1", 1.0) is None


def test_it_is_known_for_some_time() -> None:
    memory = ResponseMemory(keep_s=10.0)
    memory.record(ANN, "resp_1", "gpu0", "tiny", "gpt", 0.0)
    assert memory.find(ANN, "resp_1", 9.9) is not None
    assert memory.find(ANN, "resp_1", 10.0) is None
    memory.record(ANN, "resp_2", "gpu0", "tiny", "gpt", 11.0)
    assert len(memory) == 1, "what has expired is gone"


def test_what_is_made_again_is_new() -> None:
    memory = ResponseMemory(most_of_one=2)
    for ident, node in (("a", "gpu0"), ("b", "gpu0"), ("a", "gpu1"), ("c", "gpu0")):
        memory.record(ANN, ident, node, "tiny", "gpt", 0.0)
    keeper = memory.find(ANN, "a", 1.0)
    assert keeper is not None
    assert keeper.node == "gpu1"
    assert memory.find(ANN, "b", 1.0) is None


def test_the_only_one_made_again() -> None:
    memory = ResponseMemory()
    for node in ("gpu0", "gpu1"):
        memory.record(ANN, "a", node, "tiny", "gpt", 0.0)
    keeper = memory.find(ANN, "a", 1.0)
    assert keeper is not None
    assert (keeper.node, len(memory)) == ("gpu1", 1)


def test_who_has_most_makes_room() -> None:
    memory = ResponseMemory(most=3)
    for owner, ident in ((BOB, "b"), (ANN, "1"), (ANN, "2"), (ANN, "3")):
        memory.record(owner, ident, "gpu0", "tiny", "gpt", 0.0)
    assert memory.find(BOB, "b", 1.0) is not None
    assert memory.find(ANN, "1", 1.0) is None
    assert len(memory) == 3


ENTRIES = st.tuples(
    st.tuples(st.sampled_from(["d", "e"]), st.sampled_from(["ann", "bob"])),
    st.sampled_from([f"resp_{number}" for number in range(6)]),
)


@given(st.lists(ENTRIES, max_size=60))
def test_it_never_holds_more_than_it_may(entries: list[tuple[Owner, str]]) -> None:
    memory = ResponseMemory(most_of_one=3, most=5, keep_s=20.0)
    for now, (owner, ident) in enumerate(entries):
        memory.record(owner, ident, f"node of {owner}", "m", "m", float(now))
        assert len(memory) == sum(map(len, memory._kept.values())) <= 5
        assert all(0 < len(kept) <= 3 for kept in memory._kept.values())
        keeper = memory.find(owner, ident, float(now))
        assert keeper is not None
        assert keeper.node == f"node of {owner}"
