#!/usr/bin/env python3
"""N streams for T seconds against any OpenAI, Anthropic or Gemini URL: what arrived, and when.

python bench/load.py http://127.0.0.1:8080/v1/chat/completions -n 100 -t 30 --key KEY
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.engine.build import BuildFailed, build
from bench.engine.clients import GRAVE, Request, Snapshot, ask, load_command
from bench.engine.process import EngineFailed, child
from bench.requests import UnusableUrl, make_request

QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}

TIMES = {
    "first_byte": "time to first byte",
    "first_event": "time to first event",
    "gap": "gap between events",
    "added": "added latency",
    "reply": "whole reply",
}

MEANINGS = {
    "connect": "could not connect",
    "reset": "connection lost before the reply began, or reset within it",
    "status": "reply with a status other than 200",
    "truncated": "the connection closed in the middle of a reply",
    "unfinished": "the reply ended cleanly without its protocol's last event",
    "malformed": "broken HTTP framing",
    "error_event": "an error inside the stream",
    "not_a_stream": "the reply was not an event stream",
    "silent": "nothing came for longer than --idle",
    "lost": "event that never came",
    "duplicated": "event that came twice",
    "reordered": "event that came after a later one",
    "crossed": "event of another stream",
    "merged_late": "event held back until the next one",
}


@click.command()
@click.argument("url")
@click.option("-n", "--streams", default=10, show_default=True, help="Streams held open.")
@click.option("-t", "--seconds", default=10.0, show_default=True, help="How long; 0: till --once.")
@click.option("--key", envvar="BENCH_KEY", show_envvar=True, help="Sent as the protocol wants it.")
@click.option("--model", default="bench", show_default=True, help="Model of the default body.")
@click.option("--body", help="Body to send; @FILE reads it from a file.")
@click.option("--header", "headers", multiple=True, help="'Name: value'; may be repeated.")
@click.option("--arrivals", default=500.0, show_default=True, help="Streams opened per second.")
@click.option("--once", is_flag=True, help="Open each stream once, not again when it ends.")
@click.option("--unary", is_flag=True, help="Whole replies, not streams: requests per second.")
@click.option("--idle", default=0.0, help="Seconds of silence after which a stream is given up.")
@click.option("--core", type=int, help="Core to pin the load to.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write all results here.")
def main(url: str, file: Path | None, core: int | None, **options: Any) -> None:
    """Load URL and tell what came.

    Exit code 1 when a stream broke or an event was lost, doubled or out of order, 2 when there was
    nothing to measure.
    http only. Added latency shows only for streams of the bench's own node, which stamps events.
    """
    try:
        request = make_request(
            url,
            key=options["key"],
            model=options["model"],
            body=_read_body(options["body"]),
            headers=dict(_read_headers(options["headers"])),
            unary=options["unary"],
        )
        result = _run(request, options, core)
    except (UnusableUrl, BuildFailed, EngineFailed, OSError) as error:
        click.echo(f"error: {error}", err=True)
        raise click.exceptions.Exit(2) from None
    facts = summarize(result, url)
    if file:
        file.write_text(json.dumps(facts, indent=1) + "\n")
    _show(facts, result)
    broken = facts["errors"] or facts["faults"].keys() & set(GRAVE)
    raise click.exceptions.Exit(1 if broken else 0)


def summarize(result: Snapshot, url: str) -> dict[str, Any]:
    """All results as plain JSON: counters, rates, times in milliseconds."""
    seconds, events = result["seconds"], result["events"]
    times = {
        name: {
            label: _milliseconds(histogram.quantile(share)) for label, share in QUANTILES.items()
        }
        for name, histogram in result.histograms.items()
        if histogram.count
    }
    return {
        "url": url,
        **result.facts,
        "faults": result.faults,
        "events_per_second": events / seconds,
        "replies_per_second": result["finished"] / seconds,
        "load_cpu_us_per_event": result["cpu_ns"] / 1000 / events if events else None,
        "milliseconds": times,
        "histograms_ns": {name: h.pairs for name, h in result.histograms.items()},
    }


def _run(request: Request, options: dict[str, Any], core: int | None) -> Snapshot:
    engines = build()
    flags = [
        *("--streams", str(options["streams"])),
        *("--seconds", str(options["seconds"])),
        *("--arrivals", str(options["arrivals"])),
        *("--idle", str(options["idle"])),
        *(flag for name, flag in (("once", "--once"), ("unary", "--unary")) if options[name]),
        "--control",
    ]
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name), Path(name) / "log"
        command = load_command(engines.load, request, folder, *flags)
        with child(engines.tether, command, core=core, log=log, piped=True) as process:
            try:
                return _watch(process, options["seconds"] or None)
            except EngineFailed:
                raise EngineFailed(log.read_text().strip() or "the load ended early") from None


def _watch(process: Any, seconds: float | None) -> Snapshot:
    """Show progress twice a second until the load has ended."""
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"), console=Console(stderr=True), transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task("load", total=seconds, told="")
        try:
            while not (now := _look(process))["final"]:
                errors = sum(now["errors"].values())
                told = f"{now['open']} open, {now['events']} events, {errors} errors"
                bar.update(task, completed=now["seconds"], told=told)
                time.sleep(0.5)
        except KeyboardInterrupt:
            process.terminate()
            while not (now := Snapshot.of(process.stdout.readline()))["final"]:
                pass
        return now


def _look(process: Any) -> Snapshot:
    try:
        return ask(process)
    except BrokenPipeError:  # it has just ended; its last output is still in the pipe
        return Snapshot.of(process.stdout.readline())


def _read_body(text: str | None) -> bytes | None:
    if text is None:
        return None
    return Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()


def _read_headers(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise click.BadParameter(f"{line!r} is not 'Name: value'", param_hint="--header")
        yield name.strip(), value.strip()


def _milliseconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6


def _show(facts: dict[str, Any], result: Snapshot) -> None:
    console = Console()
    rates = Table("", "", show_header=False)
    rates.add_row("seconds", f"{facts['seconds']:.1f}")
    rates.add_row("events", f"{facts['events']} ({facts['events_per_second']:.0f}/s)")
    rates.add_row("replies", f"{facts['finished']} ({facts['replies_per_second']:.1f}/s)")
    rates.add_row("streams", f"{facts['opened']} begun, {facts['left']} open at the end")
    if facts["load_cpu_us_per_event"]:
        rates.add_row("cost of this load", f"{facts['load_cpu_us_per_event']:.1f} µs CPU per event")
    console.print(rates)
    times = Table("milliseconds", *QUANTILES)
    for name, title in TIMES.items():
        if quantiles := facts["milliseconds"].get(name):
            times.add_row(title, *(f"{quantiles[label]:.3f}" for label in QUANTILES))
    if not result["marked"] and result["events"]:
        times.add_row("added latency", "the events carry no stamps", "", "")
    if times.row_count:
        console.print(times)
    for kind, number in {**facts["errors"], **facts["faults"]}.items():
        console.print(f"[red]{number} × {kind}[/red]: {MEANINGS[kind]}")
    if not facts["errors"] and not facts["faults"]:
        console.print("no errors; no event lost, doubled or out of order")


if __name__ == "__main__":
    main()
