"""Counts of running and waiting requests, by node and model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from casedesk_proxy.console.census import Census
from casedesk_proxy.console.walking import Walker
from casedesk_proxy.replying.record import Phase
from tests.console.test_running import exchange, live

FLOW = SimpleNamespace(events=20, sent=900)


class Resting(Walker):
    rest_s = 0.0  # type: ignore[assignment]


def waiting(*nodes: str) -> Any:
    return exchange(
        "w", "a", Phase.QUEUED, ticket=SimpleNamespace(demand=SimpleNamespace(nodes=nodes))
    )


async def test_what_is_at_a_node_and_what_waits_for_it() -> None:
    rows = live(
        exchange("1", "a", Phase.STREAMING, FLOW), exchange("2", "a", Phase.WAITING),
        waiting("n", "o"), waiting("n", "o"), waiting("o"), exchange("3", "a", Phase.QUEUED),
    )  # fmt: skip
    census = Census(lambda: rows, lambda: 0)
    await census.refresh()
    assert (census.streams["n", "m"], census.streams["o", "m"]) == (3, 0)
    assert (census.waiting["n", "m"], census.waiting["o", "m"]) == (2, 3)
    assert census.waiting_by_node == {"n": 2, "o": 3}


async def test_it_is_not_counted_again_before_the_rest_is_over() -> None:
    rows: list[Any] = [*live(*[exchange("1", "a", Phase.WAITING)] * 300)]
    census = Census(lambda: rows, lambda: 0, Walker(1e-9))
    await census.refresh()
    rows.clear()
    await census.refresh()
    assert census.streams["n", "m"] == 300


async def test_how_fast_all_flow_together() -> None:
    flow, clock = SimpleNamespace(events=20, sent=900), [100.0]
    rows, ended = live(exchange("1", "a", Phase.STREAMING, flow)), [1000]
    census = Census(lambda: rows, lambda: ended[0], Resting(1), now=lambda: clock[0])
    await census.refresh()
    assert census.rate is None
    flow.events, clock[0] = 60, 104.0
    await census.refresh()
    assert census.rate == 10
    # One that ends is counted on.
    rows.clear()
    ended[0], clock[0] = 1070, 104.5
    await census.refresh()
    assert census.rate == 10
    clock[0] = 106.0
    await census.refresh()
    assert census.rate == 5
