from __future__ import annotations

from casedesk_proxy.pools.caps import Cap, Seats
from casedesk_proxy.terms import UseRules


def test_seats_outlive_the_limit_that_bounds_them() -> None:
    seats = Seats()
    before, after = (
        Cap(UseRules("key", "alice", (), most, waits), seats)
        for most, waits in ((2, True), (1, False))
    )
    before.seats.taken += 1
    assert (after.which, after.rules.waits) == (("key", "alice"), False)
    assert (before.seats.most, after.seats.taken) == (2, 1)
