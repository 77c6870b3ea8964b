#!/usr/bin/env python3
"""Time to first byte while new streams arrive at a fixed pace, each on a connection of its own.

python bench/arrivals.py --with haproxy,envoy,vllm-router
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.machine import describe_machine
from bench.markdown import spread, table, tell_winners
from bench.script import deliver, running, take_common, with_common_options
from bench.stage import set_stage
from bench.turns import Course, Turn, take_turns

_SETTLE = 1.5
_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


@click.command()
@click.option("--pace", default=50.0, show_default=True, help="New streams per second.")
@click.option("--events", default=20, show_default=True, help="Events of a stream, 20 per second.")
@click.option("--rounds", default=5, show_default=True, help="Turns that each relay has.")
@click.option("--seconds", default=4.0, show_default=True, help="Length of a turn.")
@with_common_options
def main(pace: float, events: int, rounds: int, seconds: float, **options: Any) -> None:
    """Each relay in turn, alone: streams arrive at a pace that no slow answer can slow down.

    Exit code 1 when a stream through the proxy broke, 2 when there was nothing to measure.
    """
    with running() as (engines, tell):
        common = take_common(options)
        # More than arrive in the time: the load must not run out of streams before it is read.
        streams = int(pace * (seconds + _SETTLE + 5)) + 1
        course = Course(
            flags=("--streams", str(streams), "--arrivals", str(pace), "--once", "--batch-us", "0"),
            unary=False,
            settle=_SETTLE,
            seconds=seconds,
            count=lambda told: int(told["opened"]),
        )
        with set_stage(
            engines, common.cores, nice=common.nice, proxy_command=common.proxy_command, tell=tell
        ) as stage:
            stage.start_node("--rate", "20", "--events", str(events))
            stage.start_relays(common.targets)
            stage.warm_all()
            rounds_taken = list(take_turns(stage, course, rounds))
            facts = {
                "machine": describe_machine(),
                "versions": stage.versions,
                "skipped": stage.skipped,
                "settings": {"pace": pace, "events": events, "seconds": seconds},
                "rounds": [
                    {n: turn.as_json("first_byte", "first_event") for n, turn in turns.items()}
                    for turns in rounds_taken
                ],
            }
    deliver(common, as_markdown(rounds_taken, facts), facts)
    broke = any(turns["proxy"].errors for turns in rounds_taken if "proxy" in turns)
    raise click.exceptions.Exit(1 if broke else 0)


def as_markdown(rounds: list[dict[str, Turn]], facts: dict[str, Any]) -> str:
    """Quantiles of each round, their median and spread, and the relay's over the proxy's."""
    names, settings = list(facts["versions"]), facts["settings"]
    base = "proxy" in names
    times = {
        name: {label: [_ms(turns[name], share) for turns in rounds] for label, share in
               _SHARES.items()}
        for name in names
    }  # fmt: skip
    ratios = {
        name: {
            label: [a / b for a, b in zip(values, times["proxy"][label], strict=True)]
            for label, values in times[name].items()
        }
        for name in (names if base else [])
    }
    head = ["relay"]
    for label in _SHARES:
        head += [f"first byte ms {label}", *(["× proxy"] if base else [])]
    rows = [[*head, "CPU µs/stream", "streams", "errors"]]
    for name in names:
        row = [f"**{name}**" if name == "proxy" else name]
        for label in _SHARES:
            row.append(spread(times[name][label], 3))
            row += [f"{median(ratios[name][label]):.3f}"] if base else []
        turns = [turns[name] for turns in rounds]
        row += [
            spread([turn.us for turn in turns], 0),
            str(sum(turn.count for turn in turns)),
            str(sum(turn.errors for turn in turns)),
        ]
        rows.append(row)
    winners = [
        tell_winners(f"time to first byte {label}", {n: r[label] for n, r in ratios.items()})
        for label in _SHARES
    ]
    lines = [
        *(winners if base else []),
        f"{settings['pace']:g} new connections and streams per second whatever the answers take,"
        f" {settings['events']} events each, {len(rounds)} rounds of {settings['seconds']:g} s,"
        " each relay alone in its turn",
        "own cost: " + _own_cost(rounds),
        ", ".join(f"{name} {text}" for name, text in facts["versions"].items()),
        ", ".join(f"{name}: {text}" for name, text in facts["machine"].items()),
        *(f"**{name} was not measured: {why}**" for name, why in facts["skipped"].items()),
    ]
    return "\n".join(
        [table(rows), "", "Median of the rounds (least–most).", "", *(f"- {x}" for x in lines), ""]
    )


def _ms(turn: Turn, share: float) -> float:
    return (turn.histograms["first_byte"].quantile(share) or 1) / 1e6


def _own_cost(rounds: list[dict[str, Turn]]) -> str:
    turns = [turn for taken in rounds for turn in taken.values()]
    count = sum(turn.count for turn in turns) or 1
    node, load = (sum(getattr(t, f"{n}_cpu_ns") for t in turns) / 1000 for n in ("node", "load"))
    return f"node {node / count:.0f}, clients {load / count:.0f} µs CPU per stream"


if __name__ == "__main__":
    main()
