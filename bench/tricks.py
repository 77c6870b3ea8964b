#!/usr/bin/env python3
"""The gain of each trick of `casedesk_proxy.fastpath`: CPU without it, relative to CPU with all.

python -m bench.tricks

One process, the two variants in turn, CPU time of the process; the median of the turns' ratios.
Without kernel and sockets, where `cork` saves time, see bench/NOTES.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import quantiles
from typing import Any

import click

from bench.micro.cases import dialects, relaying, unary
from bench.micro.work import Case, Work
from casedesk_proxy.fastpath.switches import Trick, turn_off

#: By trick: the cases that it affects. TLS needs sockets, see bench/relay_cost.py.
_MEASURED: dict[Trick, tuple[Case, ...]] = {
    Trick.FIBERS: unary.CASES,
    Trick.CORK: unary.CASES,
    Trick.HEADS: unary.CASES,
    Trick.ADMISSION: unary.CASES,
    Trick.WHOLE_REPLIES: unary.CASES,
    Trick.LOG_LINE: unary.CASES,
    Trick.TEMPLATE: dialects.CASES,
    Trick.ONE_CHUNK: relaying.CASES,
}


class Variant:
    """One case with some tricks turned off."""

    def __init__(self, case: Case, off: set[Trick]) -> None:
        self._off = off
        self._work: Work = self._with(case.prepare)
        self._with(lambda: self._work.check(self._work.run(self._work.make())))

    def cost(self, passes: int) -> float:
        """Microseconds of CPU for one operation."""
        spent: int = self._with(lambda: sum(self._spend() for _ in range(passes)))
        return spent / 1000 / passes / self._work.operations

    def _spend(self) -> int:
        made = self._work.make()
        began = time.process_time_ns()
        self._work.run(made)
        return time.process_time_ns() - began

    def _with(self, do: Callable[[], Any]) -> Any:
        before = turn_off(self._off)
        try:
            return do()
        finally:
            turn_off(before)


@click.command()
@click.option("--turns", default=25, show_default=True, help="Of each variant, by turns.")
@click.option("--passes", default=4, show_default=True, help="Of a case in a turn.")
def main(turns: int, passes: int) -> None:
    """Print µs with all tricks and the ratio without one, quartiles in brackets."""
    for trick, cases in _MEASURED.items():
        for case in cases:
            usual, plain = Variant(case, set()), Variant(case, {trick})
            pairs = [(usual.cost(passes), plain.cost(passes)) for _ in range(turns)]
            low, ratio, high = quantiles((without / with_all for with_all, without in pairs), n=4)
            least = min(with_all for with_all, _ in pairs)
            name = f"{trick}: {case.name}, {case.operation}"
            click.echo(f"{name:52} {least:7.2f} µs  × {ratio:.3f} ({low:.3f}–{high:.3f})")


if __name__ == "__main__":
    main()
