"""A memory is bounded, and forgets the oldest entries."""

from __future__ import annotations

from casedesk_proxy.fastpath.memory import Memory


def test_the_oldest_goes_first_used_or_not() -> None:
    memory: Memory[str, int] = Memory(2)
    memory.remember("a", 1)
    memory.remember("b", 2)
    assert memory.get("a") == 1
    memory.remember("c", 3)
    assert memory == {"b": 2, "c": 3}


def test_what_is_known_is_replaced_and_pushes_nothing_out() -> None:
    memory: Memory[str, int] = Memory(2)
    memory.remember("a", 1)
    memory.remember("b", 2)
    memory.remember("a", 3)
    assert memory == {"a": 3, "b": 2}


def test_a_bound_of_none_remembers_nothing() -> None:
    memory: Memory[str, int] = Memory(0)
    memory.remember("a", 1)
    assert not memory


def test_under_other_facts_it_is_empty() -> None:
    memory: Memory[str, int] = Memory(2)
    one, equal = [1], [1]
    memory.under(one, None).remember("a", 1)
    assert memory.under(one, None) == {"a": 1}
    assert memory.under(equal, None) == {}
    memory.under(equal, None).remember("a", 2)
    assert memory.under(equal, equal) == {}
    memory.under(equal, equal, one).remember("a", 3)
    assert memory.under(equal, equal, one) == {"a": 3}
    assert memory.under(equal, equal, equal) == {}


def test_it_shows_nothing_of_what_it_remembers() -> None:
    memory: Memory[str, str] = Memory(2)
    memory.remember("secret", "secret")
    assert repr(memory) == "<Memory of 1>"
