"""Nodes are asked soon after a use, and not too often."""

from __future__ import annotations

from casedesk_proxy.upstream.look_schedule import LookSchedule
from tests.fixtures.clock import Clock


def scheduled() -> tuple[Clock, LookSchedule, list[tuple[str, float]]]:
    clock, looks = Clock(), list[tuple[str, float]]()
    clock.now = 100.0
    return clock, LookSchedule(clock.loop, lambda name: looks.append((name, clock.now))), looks


def test_a_node_that_was_never_asked_is_asked_at_once() -> None:
    clock, schedule, looks = scheduled()
    schedule.put("a", 10.0)
    assert "a" in schedule
    clock.jump(100.0)
    assert looks == [("a", 100.0)]
    assert "a" not in schedule


def test_a_node_is_asked_again_after_the_pause() -> None:
    clock, schedule, looks = scheduled()
    schedule.note("a")
    clock.jump(103.0)
    schedule.put("a", 10.0)
    clock.jump(109.9)
    assert looks == []
    clock.jump(110.0)
    assert looks == [("a", 110.0)]


def test_the_earlier_of_two_wishes_counts() -> None:
    clock, schedule, looks = scheduled()
    schedule.note("a")
    schedule.put("a", 10.0)
    schedule.put("a", 60.0)
    schedule.put("a", 5.0)
    clock.jump(105.0)
    clock.jump(200.0)
    assert looks == [("a", 105.0)]


def test_a_forgotten_node_counts_as_never_asked() -> None:
    clock, schedule, looks = scheduled()
    schedule.note("a")
    assert schedule.was_looked_at("a")
    schedule.forget("a")
    assert not schedule.was_looked_at("a")
    schedule.put("a", 10.0)
    clock.jump(100.0)
    assert looks == [("a", 100.0)]


def test_nothing_is_asked_after_the_close() -> None:
    clock, schedule, looks = scheduled()
    schedule.put("a", 10.0)
    schedule.close()
    clock.jump(500.0)
    assert looks == []
