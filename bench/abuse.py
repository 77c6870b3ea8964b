#!/usr/bin/env python3
"""Innocent streams while a client abuses the proxy: their longest gap, and the proxy's memory.

python bench/abuse.py --output bench/out/abuse         # all abuses, some eight minutes
python bench/abuse.py --only pipeline,parts --seconds 4
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.abuse_plot import plot
from bench.abuse_report import Bounds, describe, find_gaps, find_misses, to_facts
from bench.abuse_run import Outcome, abuse_once
from bench.abuse_scene import Settings
from bench.abuses import ABUSES
from bench.engine.build import BuildFailed, build
from bench.engine.process import EngineFailed
from bench.machine import describe_machine
from bench.priority import precedence
from bench.targets import PROXY_COMMAND, describe_tree


@click.command()
@click.option("--only", multiple=True, help=f"Some of them, comma between: {', '.join(ABUSES)}.")
@click.option("-n", "--streams", default=40, show_default=True, help="Innocent ones.")
@click.option("--rate", default=50.0, show_default=True, help="Events per second and stream.")
@click.option("-t", "--seconds", default=8.0, show_default=True, help="Of each abuse.")
@click.option("--patience", default=30.0, show_default=True, help="Seconds to get over one.")
@click.option("--share", default=1.0, show_default=True, help="Of their size, for a try.")
@click.option("--seed", type=int, help="Take them in a random order, this one.")
@click.option("--check", is_flag=True, help="Exit with 1 when a bound was missed.")
@click.option("--load-core", type=int, help="Core of all others; default: the first.")
@click.option("--target-core", type=int, help="Core of the proxy; default: the second.")
@click.option("--nice", default=-10, show_default=True, help="Priority; below 0 as root only.")
@click.option("--proxy-command", default=PROXY_COMMAND, help="With {config}, {port}, {node_port}.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="All samples.")
@click.option("--output", type=click.Path(path_type=Path), help="OUTPUT.md, .json and .png.")
@click.option("--before", type=click.Path(path_type=Path, exists=True), help="Drawn beside: JSON.")
def main(
    file: Path | None, output: Path | None, before: Path | None, nice: int, check: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Abuse a proxy in every known way, one after the other, each time a new process.

    The table's columns are explained in bench/README.md. Exit code 1 with --check if a gap of an
    innocent stream, a new request or the memory exceeded its limit; 2 if nothing could be measured.
    """
    names = choose(options.pop("only"), options["seed"])
    settings = settle(options)
    try:
        os.sched_setaffinity(0, {settings.load_core})
        with precedence(nice):
            outcomes = _run(names, settings)
    except (BuildFailed, EngineFailed, OSError) as error:
        click.echo(f"error: {error}", err=True)
        raise click.exceptions.Exit(2) from None
    bounds, version, machine = Bounds(), describe_tree(), describe_machine()
    told = describe(outcomes, settings, bounds, version, machine)
    facts = to_facts(outcomes, settings, bounds, version, machine)
    click.echo(told)
    _write(facts, told, file, output, before)
    missed = any(find_misses(one, bounds) for one in outcomes)
    raise click.exceptions.Exit(1 if check and missed else 0)


def choose(only: tuple[str, ...], seed: int | None) -> list[str]:
    """In the order of the table, or shuffled."""
    asked = {name.strip() for names in only for name in names.split(",") if name.strip()}
    if unknown := asked - ABUSES.keys():
        raise click.BadParameter(
            f"no such abuse: {', '.join(sorted(unknown))}; there are {', '.join(ABUSES)}",
            param_hint="--only",
        )
    names = [name for name in ABUSES if not asked or name in asked]
    if seed is not None:
        random.Random(seed).shuffle(names)
    return names


def settle(options: dict[str, Any]) -> Settings:
    cores = sorted(os.sched_getaffinity(0))
    for place, name in enumerate(("load_core", "target_core")):
        if options[name] is None:
            options[name] = cores[min(place, len(cores) - 1)]
    return Settings(**options)


def _run(names: list[str], settings: Settings) -> list[Outcome]:
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description:<32}"), BarColumn(), TimeElapsedColumn(), console=console,
        transient=True, refresh_per_second=2, disable=not console.is_terminal,
    )  # fmt: skip
    outcomes: list[Outcome] = []
    with bar:
        task = bar.add_task("building", total=len(names))
        engines = build()
        for place, name in enumerate(names):

            def tell(what: str, done: float, place: int = place, name: str = name) -> None:
                bar.update(task, description=f"{name}: {what}", completed=place + done)

            try:
                outcomes.append(abuse_once(name, settings, engines, tell))
            except KeyboardInterrupt:
                break
            console.print(_in_short(outcomes[-1]), highlight=False, soft_wrap=True)
    if not outcomes:
        raise EngineFailed("nothing was measured")
    return outcomes


def _in_short(one: Outcome) -> str:
    gaps, misses = find_gaps(one.samples), find_misses(one, Bounds())
    return f"{one.name:<16} gap {gaps.own:6.0f} ms, memory {one.peak_mb:+6.0f} MB" + (
        f"; {'; '.join(misses)}" if misses else ""
    )


def _write(
    facts: dict[str, Any], told: str, file: Path | None, output: Path | None, before: Path | None
) -> None:
    text = json.dumps(facts) + "\n"
    paths = [(file, text)] if file else []
    if output:
        paths += [(output.with_suffix(".json"), text), (output.with_suffix(".md"), told + "\n")]
    for path, content in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    if output:
        earlier = json.loads(before.read_text()) if before else None
        plot(facts, output.with_suffix(".png"), earlier)


if __name__ == "__main__":
    main()
