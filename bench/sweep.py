#!/usr/bin/env python3
"""How the cost of an event grows: with the event rate, the size of events, the number of streams.

python bench/sweep.py --with haproxy,envoy,vllm-router --json bench/out/sweep.json
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.comparison import Outcome, Settings, compare
from bench.machine import describe_machine
from bench.markdown import table, tell_winners
from bench.script import Common, deliver, running, take_common, with_common_options
from bench.tables import own_costs, ratios, warnings


@dataclass(frozen=True, slots=True)
class Point:
    """What one comparison asks: ``rate`` events per second of each stream, ``size`` bytes."""

    axis: str
    streams: int
    rate: float
    size: int

    @property
    def at(self) -> float:
        return {"rate": self.rate, "size": self.size, "streams": self.streams}[self.axis]


#: Chosen so that all relays together stay below one core at the upper ends.
POINTS = (
    *(Point("rate", 30, rate, 300) for rate in (1, 5, 20, 50, 100, 200)),
    *(Point("size", 30, 50, size) for size in (50, 300, 1000, 4000, 16000)),
    *(Point("streams", streams, 5, 300) for streams in (10, 100, 300, 1000)),
)
_AXES = {"rate": "events/s", "size": "event B", "streams": "streams"}


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Windows of each point.")
@click.option("--seconds", default=2.0, show_default=True, help="Length of a window.")
@click.option("--axis", type=click.Choice(list(_AXES)), help="Only this one.")
@click.option("--at", multiple=True, type=float, help="Only this point; may be repeated.")
@click.option("--tick", default=1000, show_default=True, help="The node's, in µs.")
@with_common_options
def main(
    rounds: int,
    seconds: float,
    axis: str | None,
    at: tuple[float, ...],
    tick: int,
    **options: Any,
) -> None:
    """relay_cost.py at many points: 30 streams × 1–200 events/s, 50 B–16 KB, 10–1000 streams."""
    points = [
        point for point in POINTS if axis in (None, point.axis) and (not at or point.at in at)
    ]
    outcomes: list[tuple[Point, Outcome]] = []
    with running() as (engines, tell):
        common = take_common(options)
        for number, point in enumerate(points):
            outcomes.append(
                (
                    point,
                    compare(
                        _settings(point, common, rounds, seconds, tick),
                        engines,
                        lambda what, done, number=number, point=point: tell(
                            f"{point.axis} {point.at:g}: {what}", (number + done) / len(points)
                        ),
                    ),
                )
            )
    facts = as_json(outcomes)
    deliver(common, as_markdown(outcomes, facts["machine"]), facts)


def _settings(point: Point, common: Common, rounds: int, seconds: float, tick: int) -> Settings:
    return Settings(
        targets=common.targets,
        streams=point.streams,
        rate=point.rate,
        size=point.size,
        rounds=rounds,
        seconds=seconds,
        tick=tick,
        load_core=common.cores.load,
        target_core=common.cores.target,
        nice=common.nice,
        proxy_command=common.proxy_command,
    )


def as_markdown(outcomes: list[tuple[Point, Outcome]], machine: dict[str, str]) -> str:
    """A table per axis: CPU µs per event, and the relay's over the proxy's."""
    parts: list[str] = []
    for axis, title in _AXES.items():
        mine = [(point, outcome) for point, outcome in outcomes if point.axis == axis]
        if not mine:
            continue
        names = list(mine[0][1].versions)
        rows = [[title, *names]]
        for point, outcome in mine:
            rows.append([f"{point.at:g}", *(_cell(outcome, name) for name in names)])
        parts += [table(rows), ""]
    notes = sorted({text for _, outcome in outcomes for text in warnings(outcome)})
    return "\n".join(
        [
            *parts,
            "CPU µs per event, median of the rounds (× the proxy, paired within each round).",
            "",
            *(f"- {text}" for text in _winners(outcomes)),
            f"- own cost: {_own(outcomes)}",
            "- " + ", ".join(f"{name} {text}" for name, text in outcomes[0][1].versions.items()),
            "- " + ", ".join(f"{name}: {text}" for name, text in machine.items()),
            *(f"- **{text}**" for text in notes),
            "",
        ]
    )


def _winners(outcomes: list[tuple[Point, Outcome]]) -> list[str]:
    """Which peer is better than the proxy at which point, if it took part."""
    told = []
    for point, outcome in outcomes:
        if "proxy" in outcome.versions:
            found = {name: ratios(outcome, name, "proxy") for name in outcome.versions}
            told.append(tell_winners(f"{point.at:g} {_AXES[point.axis]}", found))
    return told


def _own(outcomes: list[tuple[Point, Outcome]]) -> str:
    """At the point at which node and clients are most expensive."""
    load, node = (
        max(costs) for costs in zip(*(own_costs(one) for _, one in outcomes), strict=True)
    )
    return f"node {node:.1f}, clients {load:.1f} µs CPU per event at most"


def _cell(outcome: Outcome, name: str) -> str:
    if name not in outcome.versions:
        return "–"
    cost = f"{_cost(outcome, name):.1f}"
    if name == "proxy" or "proxy" not in outcome.versions:
        return cost
    return f"{cost} ({median(ratios(outcome, name, 'proxy')):.2f})"


def _cost(outcome: Outcome, name: str) -> float:
    return median(round_.samples[name].us_per_event for round_ in outcome.rounds)


def as_json(outcomes: list[tuple[Point, Outcome]]) -> dict[str, Any]:
    """Every point with the cost of each relay in each round."""
    return {
        "machine": describe_machine(),
        "versions": outcomes[0][1].versions,
        "points": [
            {
                "axis": point.axis,
                "at": point.at,
                "streams": point.streams,
                "rate": point.rate,
                "size": point.size,
                "skipped": outcome.skipped,
                "us_per_event": {
                    name: [round_.samples[name].us_per_event for round_ in outcome.rounds]
                    for name in outcome.versions
                },
            }
            for point, outcome in outcomes
        ],
    }


if __name__ == "__main__":
    main()
