"""Fair between keys, first come first served within one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casedesk_proxy.pools.queue import FairQueue


def take_all(queue: FairQueue[str]) -> list[str]:
    taken = []
    while (item := queue.take(lambda _: True)) is not None:
        taken.append(item)
    return taken


def test_a_hundred_of_one_key_do_not_starve_one_of_another() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(100):
        queue.add("greedy", f"g{number}")
    queue.add("modest", "m")
    assert take_all(queue)[:3] == ["g0", "m", "g1"]


def test_in_order_within_a_key() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "b1", "a3", "b2"):
        queue.add(item[0], item)
    assert list(queue) == ["a1", "a2", "a3", "b1", "b2"]
    assert take_all(queue) == ["a1", "b1", "a2", "b2", "a3"]
    assert len(queue) == 0


def test_the_order_in_which_they_will_be_served() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "b1", "a3", "b2"):
        queue.add(item[0], item)
    assert list(queue.order()) == ["a1", "b1", "a2", "b2", "a3"]
    assert len(queue) == 5


def test_who_cannot_use_a_slot_keeps_its_turn() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a-big", "b", "c"):
        queue.add(item[0], item)
    assert queue.take(lambda item: item != "a-big") == "b"
    assert queue.take(lambda _: True) == "a-big"


def test_one_that_leaves_is_gone_and_its_key_keeps_its_turn() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "b1"):
        queue.add(item[0], item)
    queue.remove("a", "a1")
    queue.remove("a", "a1")
    queue.remove("nobody", "a1")
    assert len(queue) == 2, "what is not here cannot leave"
    assert take_all(queue) == ["a2", "b1"]


def test_in_a_full_queue_whoever_has_most_yields() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "a3", "b1"):
        queue.add(item[0], item)
    assert queue.evict_for("b") == "a3"
    assert queue.evict_for("b") is None, "it would only change places"
    assert queue.evict_for("c") == "a2"
    assert queue.evict_for("a") is None
    assert FairQueue[str]().evict_for("a") is None


ARRIVALS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=40)


@given(ARRIVALS, st.data())
def test_between_two_turns_of_a_key_no_other_has_two(
    arrivals: list[str], data: st.DataObject
) -> None:
    """This is the queue's promise itself, with arrivals and departures meanwhile."""
    queue: FairQueue[tuple[str, int]] = FairQueue()
    served_since: dict[str, list[str]] = {}
    for number, key in enumerate(arrivals):
        served_since.setdefault(key, [])
        queue.add(key, (key, number))
        step = data.draw(st.sampled_from(["take", "leave", "wait"]))
        if step == "leave":
            item = data.draw(st.sampled_from(list(queue)))
            queue.remove(item[0], item)
        elif step == "take" and (taken := queue.take(lambda _: True)):
            for others in served_since.values():
                others.append(taken[0])
            served_since.pop(taken[0])
        waiting = {item[0] for item in queue}
        for gone in served_since.keys() - waiting:
            served_since.pop(gone)
        for late in waiting - served_since.keys():
            served_since[late] = []
        for others in served_since.values():
            assert len(others) == len(set(others)), "somebody had two turns meanwhile"


def test_an_item_may_be_put_before_all_others() -> None:
    queue: FairQueue[str] = FairQueue()
    for key, item in (("a", "a1"), ("b", "b1"), ("b", "b2")):
        queue.add(key, item)
    queue.put_first("b", "b0")
    assert queue.keys == 2
    assert list(queue.order()) == ["b0", "a1", "b1", "b2"]
    assert queue.remove("b", "b0")
    assert not queue.remove("b", "b0")
    assert len(queue) == 3
