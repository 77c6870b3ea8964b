#!/usr/bin/env python3
"""Thousands of streams for a chosen time: memory, descriptors, lag and latency over time.

python bench/soak.py -n 4000 -t 20m --output bench/results/soak
python bench/soak.py -n 200 -t 20s --life 2,6      # a short run

Streams live 30 to 90 seconds and are opened again, so that leftovers of each accumulate.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.engine.build import BuildFailed, build
from bench.engine.process import EngineFailed
from bench.machine import describe_machine
from bench.soak_plot import plot
from bench.soak_report import Bounds, Result, describe, find_faults, find_trends, write
from bench.soak_run import Sample, Settings, Tell, open_soak
from bench.targets import PROXY_COMMAND


class Duration(click.ParamType):
    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h|)", str(value))
        if not found or not float(found[1]):
            self.fail(f"{value!r} is not a time such as 30s, 20m or 2h", param, ctx)
        return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


class Life(click.ParamType):
    name = "from,to"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)", value)
        if not found or not 0 < float(found[1]) <= float(found[2]):
            self.fail(f"{value!r} is not two times in seconds such as 30,90", param, ctx)
        return float(found[1]), float(found[2])


@click.command()
@click.option("-n", "--streams", default=4000, show_default=True, help="Streams held open.")
@click.option("-t", "--time", "seconds", type=Duration(), default="20m", show_default=True)
@click.option("--life", type=Life(), default="30,90", show_default=True, help="Of a stream, in s.")
@click.option("--rate", default=5.0, show_default=True, help="Events per second and stream.")
@click.option("--size", default=300, show_default=True, help="Bytes of an event.")
@click.option("--interval", type=Duration(), help="Between samples; default: a 240th, at least 1s.")
@click.option("--warm-up", type=Duration(), help="Not judged; default: two lives or a quarter.")
@click.option("--arrivals", default=200.0, show_default=True, help="Streams opened per second.")
@click.option("--memory-bound", default=3.0, show_default=True, help="Growth in % that is a leak.")
@click.option("--descriptor-bound", default=1.0, show_default=True, help="As much, of descriptors.")
@click.option("--load-core", type=int, help="Core of node and clients; default: the first.")
@click.option("--target-core", type=int, help="Core of the proxy; default: the second.")
@click.option("--nice", default=-10, show_default=True, help="Priority; below 0 as root only.")
@click.option("--proxy-command", default=PROXY_COMMAND, help="With {config}, {port}, {node_port}.")
@click.option("--fault", "node_flags", nargs=2, hidden=True, help="The node's --fault and --every.")
@click.option("--output", type=click.Path(path_type=Path), default="bench/out/soak")
def main(
    output: Path, warm_up: float | None, memory_bound: float, descriptor_bound: float,
    **options: Any,
) -> None:  # fmt: skip
    """Hold streams open through the proxy and tell whether anything grows.

    Writes OUTPUT.json, .csv, .svg and .md. Exit code 1 when events were lost, doubled or out of
    order, a stream broke, memory or descriptors surely grew by more than their bound, or something
    is left over when the clients have gone; 2 when nothing could be measured.
    """
    settings = settle(options)
    warm = min(2 * settings.life[1], settings.seconds / 4) if warm_up is None else warm_up
    try:
        result = _run(settings)
    except (BuildFailed, EngineFailed, OSError) as error:
        click.echo(f"error: {error}", err=True)
        raise click.exceptions.Exit(2) from None
    bounds = Bounds(memory_bound / 100, descriptor_bound / 100)
    trends = find_trends(result.samples, warm, settings.life)
    faults = find_faults(result, trends, bounds)
    machine = describe_machine()
    told = describe(settings, result, trends, bounds, faults, machine)
    click.echo(told)
    write(output, settings, result, trends, faults, machine)
    output.with_suffix(".md").write_text(told + "\n")
    title = f"{settings.streams} streams × {settings.rate:g} events/s, proxy {result.version}"
    if result.samples:
        plot(result.samples, title, warm, output.with_suffix(".svg"))
    raise click.exceptions.Exit(1 if faults else 0)


def settle(options: dict[str, Any]) -> Settings:
    cores = sorted(os.sched_getaffinity(0))
    for place, name in enumerate(("load_core", "target_core")):
        if options[name] is None:
            options[name] = cores[min(place, len(cores) - 1)]
    if options["interval"] is None:
        options["interval"] = max(1.0, options["seconds"] / 240)
    kind = options.pop("node_flags")
    flags = ("--fault", kind[0], "--every", kind[1]) if kind else ()
    return Settings(**options, node_flags=flags)


def _run(settings: Settings) -> Result:
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description:<10}"), BarColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"), console=console, transient=True,
        refresh_per_second=2, disable=not console.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task("building", total=1.0, told="")

        def tell(what: str, done: float) -> None:
            bar.update(task, description=what, completed=done)

        return soak(settings, tell, lambda told: bar.update(task, told=told))


def soak(settings: Settings, tell: Tell, show: Any) -> Result:
    """Raises EngineFailed if it does not even start. Ctrl-C ends it early, with a result."""
    samples: list[Sample] = []
    failure, rest = "", None
    with open_soak(settings, build(), tell) as run:
        try:
            for one in run.samples():
                samples.append(one)
                show(_in_short(one))
            rest = run.end()
        except KeyboardInterrupt:
            pass  # the children got it, too: they do not answer any more
        except (EngineFailed, OSError) as error:
            failure = str(error)
        return Result(run.version, samples, run.idle, rest, failure)


def _in_short(one: Sample) -> str:
    return f"{one.streams} streams, {one.private_kb / 1024:.1f} MB, {one.descriptors} descriptors"


if __name__ == "__main__":
    main()
