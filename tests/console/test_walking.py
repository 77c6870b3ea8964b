"""Walks over many items, in slices."""

from __future__ import annotations

from itertools import count

from casedesk_proxy.console.walking import Walker


async def test_all_are_looked_at_in_order_a_slice_at_a_time() -> None:
    slices: list[list[int]] = []
    await Walker(0.5).walk(range(250), lambda part: slices.append(list(part)))
    assert [len(one) for one in slices] == [100, 100, 50]
    assert [one for part in slices for one in part] == list(range(250))


async def test_after_a_walk_there_is_a_rest_as_the_share_wants() -> None:
    ticks = count()
    walker = Walker(0.1, clock=lambda: float(next(ticks)))
    assert walker.rest_s == 0
    await walker.walk(range(250), lambda part: None)
    # Each of three slices took one tick, and the clock goes on by one whenever it is asked.
    assert walker.rest_s == 29
    assert Walker(0.1).rest_s == 0
