"""The measurement of the ledger measures: a small run, with a kill."""

from __future__ import annotations

import pytest

from bench.ledger import run


@pytest.mark.timeout(200)
async def test_whole_exchanges_are_in_the_ledger_as_their_nodes_counted_them() -> None:
    verdict = await run(requests=80, clients=8, kills=1, pace=0.001, seed=3)
    assert verdict.wrong == verdict.twice == 0
    assert verdict.whole > 20
    assert verdict.cut > 5
    assert verdict.lost < verdict.whole, "of one kill: what was under way, and not written yet"
