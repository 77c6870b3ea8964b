#!/usr/bin/env python3
"""What relaying one event costs: the proxy, nginx and a floor in C, side by side.

python bench/relay_cost.py                 # the table of README.md
python bench/relay_cost.py --with haproxy --rounds 9 --json bench/out/relay_cost.json
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.comparison import Outcome, Settings, compare
from bench.engine.build import BuildFailed, build
from bench.engine.clients import GRAVE
from bench.engine.process import EngineFailed
from bench.machine import describe_machine
from bench.tables import as_json, as_markdown
from bench.targets import PROXY_COMMAND, TARGETS

_ALWAYS = ("proxy", "nginx", "floor")
_EXTRA = ("haproxy", "transposed", "litellm")


@click.command()
@click.option("-n", "--streams", default=300, show_default=True, help="Streams per relay.")
@click.option("--rate", default=50.0, show_default=True, help="Events per second and stream.")
@click.option("--size", default=300, show_default=True, help="Bytes of an event.")
@click.option("--rounds", default=5, show_default=True, help="Windows that are measured.")
@click.option("--seconds", default=5.0, show_default=True, help="Length of a window.")
@click.option("--tick", default=1000, show_default=True, help="The node sends what is due every so many µs.")  # fmt: skip  # noqa: E501
@click.option("--with", "extra", multiple=True, type=click.Choice(_EXTRA), help="One more.")
@click.option("--without", multiple=True, type=click.Choice(_ALWAYS), help="One less.")
@click.option("--load-core", type=int, help="Core of node and clients; default: the first.")
@click.option("--target-core", type=int, help="Core of the relays; default: the second.")
@click.option("--nice", default=-10, show_default=True, help="Priority; below 0 as root only.")
@click.option("--proxy-command", default=PROXY_COMMAND, help="With {config}, {port}, {node_port}.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Raw rounds and versions.")
@click.option("--markdown", type=click.Path(path_type=Path), help="The table, too.")
def main(file: Path | None, markdown: Path | None, **options: Any) -> None:
    """Load all relays at the same moment and print CPU per event, memory and latency.

    Needs two cores and a C compiler; nginx is installed if it is missing and root runs this.
    Exit code 1 when the proxy lost or broke anything, 2 when there was nothing to measure.
    """
    try:
        settings = _settle(options)
        outcome = _run(settings)
    except (BuildFailed, EngineFailed, OSError) as error:
        click.echo(f"error: {error}", err=True)
        raise click.exceptions.Exit(2) from None
    machine = describe_machine()
    table = as_markdown(outcome, machine)
    click.echo(table)
    for path, text in (
        (file, json.dumps(as_json(outcome, machine)) + "\n"),
        (markdown, table),
    ):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    raise click.exceptions.Exit(1 if _is_faulty(outcome) else 0)


def _settle(options: dict[str, Any]) -> Settings:
    cores = sorted(os.sched_getaffinity(0))
    given = (options.pop("load_core"), options.pop("target_core"))
    if len(cores) < 2 and None in given:
        raise EngineFailed("two cores are needed, or name them: --load-core, --target-core")
    load, target = (cores[place] if core is None else core for place, core in enumerate(given))
    without, extra = options.pop("without"), options.pop("extra")
    wanted = [name for name in (*_ALWAYS, *extra) if name not in without]
    return Settings(
        targets=tuple(name for name in TARGETS if name in wanted),
        load_core=load,
        target_core=target,
        **options,
    )


def _run(settings: Settings) -> Outcome:
    bar = Progress(
        TextColumn("{task.description:<20}"), BarColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True, refresh_per_second=2,
    )  # fmt: skip
    with bar:
        task = bar.add_task("building", total=1.0)
        engines = build()
        return compare(
            settings,
            engines,
            lambda what, done: bar.update(task, description=what, completed=done),
        )


def _is_faulty(outcome: Outcome) -> bool:
    samples = [round_.samples["proxy"] for round_ in outcome.rounds if "proxy" in round_.samples]
    return any(sample.errors or sample.faults.keys() & set(GRAVE) for sample in samples)


if __name__ == "__main__":
    main()
