"""The result of a soak: trends, faults, the report and the files."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.flatness import Trend, find_trend
from bench.open_files import find_new
from bench.soak_run import Rest, Sample, Settings

__all__ = ["Bounds", "Result", "describe", "find_faults", "find_trends", "write"]

#: So many lifetimes of a stream must pass before a line can be called flat: a leak grows with each.
_LIVES = 3
_DISTURBED = 0.15


@dataclass(frozen=True, slots=True)
class Result:
    """``failure``: why it ended before its time, if it did."""

    version: str
    samples: list[Sample]
    idle: Rest
    rest: Rest | None
    failure: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """The shares of the level by which memory and descriptors may grow while judged."""

    memory: float
    descriptors: float


def find_trends(
    samples: Sequence[Sample], warm: float, life: tuple[float, float]
) -> dict[str, Trend | None]:
    """Of memory (KB) and descriptors, after the warm-up; None if it was too short."""
    judged = [one for one in samples if one.seconds > warm]
    times = [one.seconds for one in judged]
    enough = bool(times) and times[-1] - times[0] >= _LIVES * life[1]
    return {
        name: find_trend(times, [getattr(one, name) for one in judged]) if enough else None
        for name in ("private_kb", "descriptors")
    }


def find_faults(result: Result, trends: dict[str, Trend | None], bounds: Bounds) -> list[str]:
    """All violations."""
    faults = [result.failure] if result.failure else []
    for name, what in (
        ("lost", "events lost"), ("duplicated", "events doubled"),
        ("disordered", "events out of order or in another stream"), ("errors", "streams broken"),
    ):  # fmt: skip
        if number := sum(getattr(one, name) for one in result.samples):
            faults.append(f"{number} {what}")
    if not sum(one.events_per_second for one in result.samples):
        faults.append("no event arrived")
    for name, bound in (("private_kb", bounds.memory), ("descriptors", bounds.descriptors)):
        trend = trends[name]
        if trend is not None and trend.exceeds(bound * trend.level):
            grown = max(trend.growth, trend.step) / trend.level
            faults.append(f"{_NAMES[name]} grew by {grown:.1%}")
    rest = result.rest
    if rest is not None:
        for what, number in (("streams", rest.streams), ("connections", rest.connections)):
            if number:
                faults.append(f"{number} {what} left over without clients")
        if files := find_new(result.idle.open, rest.open):
            names = ", ".join(files)
            faults.append(f"{len(files)} descriptors left over without clients: {names}")
    return faults


_NAMES = {"private_kb": "memory", "descriptors": "descriptors"}


def describe(
    settings: Settings, result: Result, trends: dict[str, Trend | None], bounds: Bounds,
    faults: list[str], machine: dict[str, str],
) -> str:  # fmt: skip
    """The report, as Markdown."""
    samples = result.samples
    seconds, ended = (samples[-1].seconds, samples[-1].exchanges) if samples else (0, 0)
    lines = [
        f"{settings.streams} streams × {settings.rate:g} events/s × {settings.size} B for"
        f" {seconds:.0f} s, each living {settings.life[0]:g} to {settings.life[1]:g} s; {ended}"
        f" ended and were followed by another. Proxy {result.version} on core"
        f" {settings.target_core}, node and clients on core {settings.load_core}.",
        "",
        *_table(samples),
        "",
        *(_tell_trend(name, trend, bounds, samples) for name, trend in trends.items()),
        _tell_rest(result),
        "- " + ", ".join(f"{name}: {text}" for name, text in machine.items()),
    ]
    for name, whose in (("others", "the proxy's"), ("others_load", "the clients'")):
        share = max((getattr(one, name) for one in samples), default=0.0)
        if share > _DISTURBED:
            usual = median(getattr(one, name) for one in samples)
            lines.append(
                f"- **other programs took up to {share:.0%} of {whose} core (median {usual:.0%}):"
                " lag and latency are theirs**"
            )
    lines += ["", *(f"**{fault}**" for fault in faults)]
    return "\n".join([*lines, *([] if faults else ["Nothing lost, nothing left over."])])


def _table(samples: list[Sample]) -> list[str]:
    """Lowest, median and highest of the samples."""
    rows = ["| | least | median | most |", "|---|---|---|---|"]
    for name, label, factor, digits in (
        ("private_kb", "private memory, MB", 1 / 1024, 1),
        ("resident_kb", "resident memory, MB", 1 / 1024, 1),
        ("descriptors", "descriptors", 1, 0),
        ("streams", "streams", 1, 0),
        ("events_per_second", "events/s", 1, 0),
        ("exchanges_per_second", "exchanges/s", 1, 1),
        ("cpu", "proxy, % of a core", 100, 1),
        ("waited", "proxy waited for its core, % of time", 100, 1),
        ("lag_ms", "loop lag, mean, ms", 1, 2),
        ("lag_worst_ms", "loop lag, worst bucket, ms", 1, 1),
        ("added_p50_ms", "added latency p50, ms", 1, 3),
        ("added_p99_ms", "added latency p99, ms", 1, 3),
        ("held_back", "events held back in an interval", 1, 0),
    ):
        values = [v * factor for one in samples if (v := getattr(one, name)) is not None]
        if values:
            three = (min(values), median(values), max(values))
            rows.append(f"| {label} | " + " | ".join(f"{v:.{digits}f}" for v in three) + " |")
    return rows


def _tell_trend(name: str, trend: Trend | None, bounds: Bounds, samples: list[Sample]) -> str:
    what = _NAMES[name]
    if trend is None:
        return f"- {what}: not judged, fewer than {_LIVES} lives of streams after the warm-up"
    bound = {"private_kb": bounds.memory, "descriptors": bounds.descriptors}[name]
    share = [part * trend.seconds / trend.level for part in (trend.slope, trend.low, trend.high)]
    told = (
        f"- {what}: {share[0]:+.2%} in {trend.seconds:.0f} s (95 %: {share[1]:+.2%} to"
        f" {share[2]:+.2%}) of {trend.level:.0f}{' KB' if name == 'private_kb' else ''};"
        f" bound {bound:.0%}"
    )
    if name == "private_kb":
        judged = [one for one in samples if one.seconds >= samples[-1].seconds - trend.seconds]
        exchanges = judged[-1].exchanges - judged[0].exchanges
        if exchanges:
            each = [part * 1024 * trend.seconds / exchanges for part in (trend.slope, trend.high)]
            told += f"; {each[0]:+.0f} bytes an exchange, at most {each[1]:+.0f}"
    return told


def _tell_rest(result: Result) -> str:
    idle, rest = result.idle, result.rest
    if rest is None:
        return "- at rest: not seen"
    return (
        f"- without clients, before → after: {len(idle.open)} → {len(rest.open)} descriptors,"
        f" {idle.private_kb / 1024:.1f} → {rest.private_kb / 1024:.1f} MB private memory"
    )


def write(
    output: Path, settings: Settings, result: Result, trends: dict[str, Trend | None],
    faults: list[str], machine: dict[str, str],
) -> None:  # fmt: skip
    output.parent.mkdir(parents=True, exist_ok=True)
    rows = [asdict(one) for one in result.samples]
    facts = {
        "machine": machine,
        "version": result.version,
        "settings": asdict(settings),
        "faults": faults,
        "trends": {name: asdict(one) if one else None for name, one in trends.items()},
        "idle": asdict(result.idle),
        "rest": asdict(result.rest) if result.rest else None,
        "samples": rows,
    }
    output.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
    with output.with_suffix(".csv").open("w", newline="") as file:
        table = csv.DictWriter(file, [*Sample.__dataclass_fields__], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
