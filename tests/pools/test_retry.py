"""The rules of failover, as a table."""

from __future__ import annotations

from casedesk_proxy.pools.retry import Failure, may_try_another
from tests.fixtures.table import table


@table(
    ("failure", "first", "after_a_replay"),
    [
        (Failure.CONNECT, True, True),
        (Failure.REFUSED, True, True),
        (Failure.LOST, True, False),
        (Failure.TIMEOUT, False, False),
        (Failure.GARBLED, False, False),
    ],
)
def test_rules(failure: Failure, first: bool, after_a_replay: bool) -> None:
    assert may_try_another(failure, 0, overdue=False) is first
    assert may_try_another(failure, 1, overdue=False) is after_a_replay
    assert not may_try_another(failure, 0, overdue=True)
