"""A small run of the measurement of the ledger, with a kill."""

from __future__ import annotations

import pytest

from bench.ledger import Verdict, run


@pytest.mark.timeout(200)
async def test_whole_exchanges_are_in_the_ledger_as_their_nodes_counted_them() -> None:
    verdict = await run(requests=80, clients=8, kills=1, pace=0.001, seed=3)
    assert verdict.wrong == verdict.twice == 0
    assert verdict.whole > 20
    assert verdict.cut > 5
    assert verdict.lost < verdict.whole, "of one kill: what was under way, and not written yet"


@pytest.mark.parametrize(
    ("verdict", "kills", "fails"),
    [
        (Verdict(whole=1000, cut_told=100, cut_entered=102, seconds=10.0), 0, False),
        (Verdict(whole=1000, cut_told=100, cut_entered=103, seconds=10.0), 0, True),
        (Verdict(whole=1000, wrong=1, seconds=10.0), 0, True),
        (Verdict(whole=1000, twice=1, seconds=10.0), 0, True),
        (Verdict(whole=999, lost=1, seconds=10.0), 0, True),
        (Verdict(whole=960, lost=40, seconds=10.0), 2, False),
        (Verdict(whole=959, lost=41, seconds=10.0), 2, True),
    ],
)
def test_what_a_run_must_not_show(verdict: Verdict, kills: int, fails: bool) -> None:
    assert verdict.fails(kills) is fails
