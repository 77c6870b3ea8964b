"""python -m bench.micro: nanoseconds per operation, or what changed since another commit.

python -m bench.micro                     # all benchmarks on this tree
python -m bench.micro wire/sse --json F   # one
python -m bench.micro --against main      # this working tree compared with a commit
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bench.machine import describe_machine
from bench.micro.catalogue import MODULES
from bench.micro.pairs import ALARMS, Pairing, calibrate, compare, rounds_needed
from bench.micro.processes import ROOT, MicroFailed, check_out, worker
from bench.micro.verdicts import compared, show_compared, show_costs

Tell = Callable[[str, float], None]


@click.command()
@click.argument("names", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="Name the benchmarks and run none.")
@click.option("--against", metavar="REV", help="Compare this working tree with a commit.")
@click.option("--rounds", default=12, show_default=True, help="Pairs of new processes.")
@click.option("--pairs", default=8, show_default=True, help="Batches of each tree in a round.")
@click.option("--batch", default=5.0, show_default=True, help="Milliseconds of a batch.")
@click.option("--bound", default=3.0, show_default=True, help="Slower by so many % is a failure.")
@click.option("--core", type=int, help="Core to run on; default: the last.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write all figures here.")
def main(
    names: tuple[str, ...], listed: bool, against: str | None, bound: float, core: int | None,
    file: Path | None, **options: Any,
) -> None:  # fmt: skip
    """What one operation of each hot module costs, on this tree or beside another commit.

    Exit code 1 when a benchmark does not do its work or is certainly slower, by more than the
    bound, than in the commit; 2 when nothing could be measured. Seconds never make it fail.
    """
    # the temporary checkout must be removed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    core = max(os.sched_getaffinity(0)) if core is None else core
    pairing = Pairing(core=core, **options)
    try:
        if against is None:
            facts, failed = _run(names, pairing, listed=listed)
        else:
            facts, failed = _compare(names, pairing, against, bound)
    except (MicroFailed, OSError) as error:
        click.echo(f"error: {error}", err=True)
        raise click.exceptions.Exit(2) from None
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"machine": describe_machine(), **facts}, indent=1) + "\n")
    raise click.exceptions.Exit(1 if failed else 0)


def _run(names: Sequence[str], pairing: Pairing, *, listed: bool) -> tuple[dict[str, Any], bool]:
    """Costs on this tree."""
    costs: dict[str, dict[str, Any]] = {}
    with worker(ROOT, pairing.core, MODULES) as mine, _progress() as tell:
        chosen = _choose(names, mine.operations, mine.absent)
        for place, name in enumerate(chosen):
            costs[name] = {"operation": mine.operations[name]}
            if not listed:
                tell(name, place / len(chosen))
                passes = calibrate(mine, name, pairing.batch)
                spent = [mine.measure(name, passes) for _ in range(max(4, pairing.pairs))]
                low, _, high = quantiles(spent, n=4)
                costs[name] |= {"ns": median(spent), "low": low, "high": high, "all": spent}
        absent = {one: why for one, why in mine.absent.items() if not names or one in names}
    show_costs(costs, absent)
    return {"costs": costs, "broken": absent}, bool(absent)


def _compare(
    names: Sequence[str], pairing: Pairing, against: str, bound: float
) -> tuple[dict[str, Any], bool]:
    """This working tree beside a commit."""
    with check_out(against) as old, _progress() as tell:
        with worker(ROOT, pairing.core, MODULES) as mine:
            chosen = _choose(names, mine.operations, mine.absent)
        needed = rounds_needed(len(chosen))
        if pairing.rounds < needed:
            click.echo(f"note: fewer than {needed} rounds prove nothing here", err=True)
        found, lacking, broken = compare(old, ROOT, MODULES, pairing, chosen, tell)
    verdicts = [compared(one, ALARMS / len(chosen), bound / 100) for one in found]
    missing = {one: why for one, why in lacking.items() if one not in broken}
    show_compared(verdicts, missing, broken, against)
    facts = {"against": against, "compared": verdicts, "absent": missing, "broken": broken}
    return facts, bool(broken) or any(one["fails"] for one in verdicts)


def _choose(names: Sequence[str], known: dict[str, str], absent: dict[str, str]) -> list[str]:
    unknown = [name for name in names if name not in known and name not in absent]
    if unknown:
        raise MicroFailed(f"no benchmark {', '.join(unknown)}; --list names all")
    return [name for name in known if not names or name in names]


@contextmanager
def _progress() -> Iterator[Tell]:
    """A progress bar on stderr; the function gets what is being done, and the progress of the whole
    run."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description:<28}"), BarColumn(), TimeRemainingColumn(),
        console=console, transient=True, refresh_per_second=2, disable=not console.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task("preparing", total=1.0)
        yield lambda what, done: bar.update(task, description=what, completed=done)


if __name__ == "__main__":
    main(prog_name="python -m bench.micro")
