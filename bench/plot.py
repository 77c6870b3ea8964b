#!/usr/bin/env python3
"""Pictures of what the other scripts wrote as JSON; needs matplotlib (pip install -e '.[bench]').

python bench/plot.py bench/out
"""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

import click
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

_OURS, _THEIRS = "tab:red", "tab:gray"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(folder: Path) -> None:
    """Draw FOLDER/NAME.svg and .png for each FOLDER/NAME.json that is there."""
    for name, draw in (
        ("relay_cost", _draw_costs),
        ("latency", _draw_latency),
        ("unary", _draw_unary),
        ("memory", _draw_memory),
        ("arrivals", _draw_arrivals),
        ("sweep", _draw_sweep),
        ("large", _draw_large),
    ):
        source = folder / f"{'relay_cost' if name == 'latency' else name}.json"
        if not source.exists():
            continue
        facts = json.loads(source.read_text())
        figure = draw(facts)
        figure.supxlabel(_describe(facts["machine"]), fontsize=6)
        for suffix in ("svg", "png"):
            figure.savefig(folder / f"{name}.{suffix}", dpi=120)
            click.echo(f"{folder / name}.{suffix}")
        pyplot.close(figure)


def _describe(machine: dict[str, str]) -> str:
    return ", ".join(machine[name] for name in ("date", "processor", "system", "kernel"))


def _draw_costs(facts: dict[str, Any]) -> Any:
    costs = {
        name: [round_["relays"][name]["us_per_event"] for round_ in facts["rounds"]]
        for name in facts["relays"]
    }
    return _draw_bars(costs, "CPU µs per relayed event (bars: median, lines: all rounds)")


def _draw_unary(facts: dict[str, Any]) -> Any:
    costs = {
        name: [turns[name]["cpu_ns"] / 1000 / turns[name]["count"] for turns in facts["rounds"]]
        for name in facts["relays"]
    }
    return _draw_bars(costs, "CPU µs per whole reply (bars: median, lines: all rounds)")


def _draw_bars(costs: dict[str, list[float]], title: str) -> Any:
    figure, axes = pyplot.subplots(figsize=(8, 1.5 + 0.4 * len(costs)), layout="constrained")
    names = sorted(costs, key=lambda name: -median(costs[name]))
    middles = [median(costs[name]) for name in names]
    lows = [m - min(costs[name]) for m, name in zip(middles, names, strict=True)]
    highs = [max(costs[name]) - m for m, name in zip(middles, names, strict=True)]
    colors = [_OURS if name in ("proxy", "transposed") else _THEIRS for name in names]
    axes.barh(names, middles, xerr=(lows, highs), color=colors)
    for place, middle in enumerate(middles):
        axes.text(middle, place, f" {middle:.1f}", va="bottom", fontsize=8)
    if middles[0] > 20 * middles[-1]:
        axes.set_xscale("log")
        title += ", logarithmic"
    axes.set_title(title)
    return figure


def _draw_latency(facts: dict[str, Any]) -> Any:
    return _draw_distributions(
        {
            name: [pairs for r in facts["rounds"] for pairs in r["relays"][name]["added_ns"]]
            for name in facts["relays"]
        },
        "Share of events that were delayed more than …",
    )


def _draw_arrivals(facts: dict[str, Any]) -> Any:
    return _draw_distributions(
        {
            name: [pairs for turns in facts["rounds"] for pairs in turns[name]["first_byte_ns"]]
            for name in facts["versions"]
        },
        "Share of new streams whose first byte took more than …",
    )


def _draw_distributions(pairs: dict[str, list[list[int]]], title: str) -> Any:
    """From the upper end and on a logarithmic scale, so that p99 and p99.9 can be distinguished."""
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name, found in pairs.items():
        found = sorted(found)
        total = sum(count for _, count in found)
        passed = accumulate(count for _, count in found)
        axes.step(
            [value / 1e6 for value, _ in found],
            [max(1 - so_far / total, 1e-9) for so_far in passed],
            where="post",
            label=name,
            linewidth=2.5 if name == "proxy" else 1.2,
        )
    axes.set(xscale="log", yscale="log", ylim=(5e-4, 1), xlabel="milliseconds", title=title)
    for share in (0.5, 0.01, 0.001):
        axes.axhline(share, color="lightgray", linewidth=0.8, zorder=0)
    axes.legend()
    return figure


def _draw_memory(facts: dict[str, Any]) -> Any:
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name, relay in facts["relays"].items():
        points = [(0, relay["idle_kb"]), *((int(n), kb) for n, kb in relay["open_kb"].items())]
        axes.plot(
            [n for n, _ in points],
            [kb / 1024 for _, kb in points],
            marker="o",
            label=name,
            linewidth=2.5 if name == "proxy" else 1.2,
        )
    axes.set(xlabel="open streams", ylabel="MB", title="Anonymous memory of the relay")
    axes.legend()
    return figure


def _draw_sweep(facts: dict[str, Any]) -> Any:
    labels = {"rate": "events/s and stream", "size": "bytes of an event", "streams": "streams"}
    present = [axis for axis in labels if any(p["axis"] == axis for p in facts["points"])]
    figure, every = pyplot.subplots(
        1, len(present), figsize=(5 * len(present), 4.5), layout="constrained", squeeze=False
    )
    for axes, axis in zip(every[0], present, strict=True):
        points = [point for point in facts["points"] if point["axis"] == axis]
        for name in facts["versions"]:
            here = [point for point in points if name in point["us_per_event"]]
            axes.plot(
                [point["at"] for point in here],
                [median(point["us_per_event"][name]) for point in here],
                marker="o",
                label=name,
                linewidth=2.5 if name == "proxy" else 1.2,
            )
        axes.set(xscale="log", xlabel=labels[axis], ylabel="CPU µs per event", ylim=(0, None))
    every[0][0].legend()
    return figure


def _draw_large(facts: dict[str, Any]) -> Any:
    """Bars of the streams' p99.9 beside each case; a line for undisturbed streams."""
    cases, names = list(facts["cases"]), list(facts["versions"])
    height = 0.8 / len(names)
    figure, axes = pyplot.subplots(figsize=(8, 1 + 0.5 * len(cases)), layout="constrained")
    for number, name in enumerate(names):
        found = {
            case: [_find_late(r[name][case]["added_ns"]) for r in facts["rounds"]]
            for case in cases
            if case in facts["rounds"][0][name]
        }
        places = [cases.index(case) + (number - (len(names) - 1) / 2) * height for case in found]
        color = _OURS if name == "proxy" else f"C{number + 6}"
        middles = [median(values) for values in found.values()]
        axes.barh(places, middles, height=height, color=color, label=name)
        axes.axvline(middles[0], color=color, linewidth=0.8, linestyle="dotted")
    axes.set_yticks(range(len(cases)), [f"{c} × {n:g}/s" for c, n in facts["cases"].items()])
    axes.invert_yaxis()
    axes.set(xlabel="ms", title="Added latency of streams at p99.9 beside large requests")
    axes.legend()
    return figure


def _find_late(pairs: list[list[int]]) -> float:
    found, passed = sorted(pairs), 0
    wanted = 0.999 * sum(count for _, count in found)
    for value, count in found:
        passed += count
        if passed >= wanted:
            return value / 1e6
    return 0.0


if __name__ == "__main__":
    main()
