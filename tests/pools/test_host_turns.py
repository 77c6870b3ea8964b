"""Instances take turns for slots as keys do, and none waits for an instance that does not run."""

from __future__ import annotations

from collections import Counter

from casedesk_proxy.pools.host_turns import HostTurns


def owed(turns: HostTurns, others: list[tuple[float, int]], now: float = 0.0, *, waits: bool = True,
         room: bool = True) -> bool:  # fmt: skip
    return turns.is_owed("n", others, now, waits=waits, room=room)


def test_nobody_else_waits() -> None:
    assert not owed(HostTurns(0), [])


def test_the_earliest_time_is_next_and_of_equal_ones_the_lower_row() -> None:
    turns = HostTurns(1)
    assert not owed(turns, [(1.5, 0)])
    assert owed(turns, [(0.5, 2)])
    assert owed(turns, [(1.0, 0)])
    assert not owed(turns, [(1.0, 2)])


def test_who_does_not_wait_comes_behind_those_who_do() -> None:
    turns = HostTurns(1)
    assert owed(turns, [(5.0, 0)], waits=False)
    assert not owed(turns, [(5.0, 2)], waits=False)
    turns.count(0)
    assert owed(turns, [(1.0, 2)], waits=False)


def test_a_turn_that_is_not_taken_is_anybodys() -> None:
    turns = HostTurns(1, grace_s=0.05)
    assert owed(turns, [(0.5, 0)], 10.0, room=False)
    assert owed(turns, [(0.5, 0)], 20.0)
    assert owed(turns, [(0.5, 0)], 20.04)
    assert not owed(turns, [(0.5, 0)], 20.06)
    # Taken at last: the next one is owed as long again.
    assert owed(turns, [(0.5, 0)], 20.07, room=False)
    assert owed(turns, [(0.5, 0)], 20.08)
    assert not owed(turns, [], 20.09)


def test_slots_are_shared_by_the_number_of_waiting_keys() -> None:
    instances, keys, got = [HostTurns(0), HostTurns(1)], [1, 3], Counter[int]()
    for _ in range(400):
        times = [(one.time, row) for row, one in enumerate(instances)]
        (taker,) = (row for row in (0, 1) if not owed(instances[row], [times[1 - row]]))
        got[taker] += 1
        instances[taker].count(keys[taker])
    assert abs(got[0] - 100) <= 1


def test_who_joins_does_not_catch_up() -> None:
    turns = HostTurns(0)
    turns.join([(7.0, 1), (9.0, 2)])
    assert turns.time == 7.0
    turns.join([])
    assert turns.time == 7.0


def test_who_waits_again_is_waited_for_anew() -> None:
    turns = HostTurns(1, grace_s=0.05)
    assert owed(turns, [(0.5, 0)], 10.0)
    turns.forget()
    assert owed(turns, [(0.5, 0)], 20.0)
