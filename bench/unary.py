#!/usr/bin/env python3
"""Whole replies: the most per second for each relay, and the cost of one.

python bench/unary.py --with haproxy,vllm-router
python bench/unary.py --with unbooked,limited --starts 10 --rounds 1 --without nginx,floor

What an interpreter's process takes for a reply differs by several percent from one start to the
next, with its hash seed and where its memory lies. So whatever is smaller needs many starts.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.machine import describe_machine
from bench.markdown import spread, table, tell_winners
from bench.script import Common, deliver, running, take_common, with_common_options
from bench.stage import set_stage
from bench.turns import Course, Turn, take_turns

_SETTLE = 0.5
_CROWDED = 0.9


@dataclass(frozen=True, slots=True)
class Outcome:
    """All rounds, by relay, and the relays that took part."""

    connections: int
    common: Common
    versions: dict[str, str]
    skipped: dict[str, str]
    rounds: list[dict[str, Turn]]

    def column(self, name: str) -> list[Turn]:
        return [turns[name] for turns in self.rounds]


@click.command()
@click.option("-c", "--connections", default=16, show_default=True, help="Kept busy at a time.")
@click.option("--rounds", default=5, show_default=True, help="Turns that each relay has.")
@click.option("--seconds", default=2.0, show_default=True, help="Length of a turn.")
@click.option("--starts", default=1, show_default=True, help="New processes, so many times.")
@with_common_options
def main(connections: int, rounds: int, seconds: float, starts: int, **options: Any) -> None:
    """Each relay in turn, alone, at full speed: requests per second and CPU per request.

    Exit code 1 when the proxy gave a wrong reply, 2 when there was nothing to measure.
    """
    with running() as (engines, tell):
        common = take_common(options)
        course = Course(
            flags=("--streams", str(connections), "--arrivals", "500"),
            unary=True,
            settle=_SETTLE,
            seconds=seconds,
            count=lambda told: int(told["finished"]),
        )
        turns: list[dict[str, Turn]] = []
        for _ in range(starts):
            with set_stage(
                engines, common.cores, nice=common.nice, proxy_command=common.proxy_command,
                tell=tell,
            ) as stage:  # fmt: skip
                stage.start_node()
                stage.start_relays(common.targets)
                stage.warm_all(unary=True)
                turns += take_turns(stage, course, rounds)
        outcome = Outcome(connections, common, stage.versions, stage.skipped, turns)
    machine = describe_machine()
    deliver(common, as_markdown(outcome, machine), as_json(outcome, machine))
    wrong = "proxy" in outcome.versions and any(turn.errors for turn in outcome.column("proxy"))
    raise click.exceptions.Exit(1 if wrong else 0)


def as_markdown(outcome: Outcome, machine: dict[str, str]) -> str:
    """The table, the comparison with the peers, the settings and what makes it doubtful."""
    names = list(outcome.versions)
    base = "proxy" in names
    head = ["relay", "requests/s", *(["× proxy"] if base else []), "CPU µs/request",
            *(["× proxy"] if base else []), "reply ms p50", "p99", "errors"]  # fmt: skip
    rates = {name: ratios(outcome, name, "per_second") for name in names} if base else {}
    costs = {name: ratios(outcome, name, "us") for name in names} if base else {}
    rows = [
        [
            f"**{name}**" if name == "proxy" else name,
            spread([turn.per_second for turn in outcome.column(name)], 0),
            *([spread(rates[name], 3)] if base else []),
            spread([turn.us for turn in outcome.column(name)], 1),
            *([spread(costs[name], 3)] if base else []),
            *(f"{_milliseconds(outcome, name, share):.2f}" for share in (0.5, 0.99)),
            str(sum(turn.errors for turn in outcome.column(name))),
        ]
        for name in names
    ]
    winners = [
        tell_winners("requests/s", rates, less=False),
        tell_winners("CPU per request", costs),
    ]
    cores = outcome.common.cores
    first = outcome.rounds[0][names[0]]
    return "\n".join(
        [
            table([head, *rows]),
            "",
            "Median of the rounds (least–most). Ratios are the relay's over the proxy's in the same"
            " round.",
            "",
            *(f"- {text}" for text in (winners if base else [])),
            f"- {outcome.connections} connections kept busy, {len(outcome.rounds)} rounds of"
            f" {first.seconds:.1f} s, each relay alone in its turn on core {cores.target}, node and"
            f" clients on core {cores.load}",
            "- own cost: " + _own_cost(outcome),
            "- " + ", ".join(f"{name} {text}" for name, text in outcome.versions.items()),
            "- " + ", ".join(f"{name}: {text}" for name, text in machine.items()),
            *(f"- **{text}**" for text in warnings(outcome)),
            "",
        ]
    )


def warnings(outcome: Outcome) -> list[str]:
    """What a reader must know before trusting the numbers."""
    told = [f"{name} was not measured: {why}" for name, why in outcome.skipped.items()]
    for name in outcome.versions:
        turns = outcome.column(name)
        load = median((t.load_cpu_ns + t.node_cpu_ns) / 1e9 / t.seconds for t in turns)
        if load > _CROWDED:
            told.append(
                f"node and clients filled {load:.0%} of their core in the turns of {name}: its"
                " requests/s are at least this, its CPU per request holds"
            )
        spent = [(t.cpu_ns / 1e9 / t.seconds, t.busy[outcome.common.cores.target]) for t in turns]
        others = max(busy - own for own, busy in spent)
        if others > 0.15:
            told.append(f"other programs took up to {others:.0%} of the core of {name}")
    return told


def ratios(outcome: Outcome, name: str, what: str) -> list[float]:
    """One relay over the proxy, round by round."""
    return [getattr(turns[name], what) / getattr(turns["proxy"], what) for turns in outcome.rounds]


def as_json(outcome: Outcome, machine: dict[str, str]) -> dict[str, Any]:
    """Raw rounds, settings and versions."""
    return {
        "machine": machine,
        "versions": outcome.versions,
        "skipped": outcome.skipped,
        "warnings": warnings(outcome),
        "connections": outcome.connections,
        "relays": {
            name: {
                "requests_per_second": median(t.per_second for t in outcome.column(name)),
                "us_per_request": median(t.us for t in outcome.column(name)),
            }
            for name in outcome.versions
        },
        "rounds": [
            {name: turn.as_json("reply") for name, turn in turns.items()}
            for turns in outcome.rounds
        ],
    }


def _milliseconds(outcome: Outcome, name: str, share: float) -> float:
    """Median of the rounds' quantiles of the whole reply."""
    return median(
        (turn.histograms["reply"].quantile(share) or 0) / 1e6 for turn in outcome.column(name)
    )


def _own_cost(outcome: Outcome) -> str:
    turns = [turn for turns in outcome.rounds for turn in turns.values()]
    count = sum(turn.count for turn in turns)
    node, load = (sum(getattr(t, f"{n}_cpu_ns") for t in turns) / 1000 for n in ("node", "load"))
    return f"node {node / count:.1f}, clients {load / count:.1f} µs CPU per request"


if __name__ == "__main__":
    main()
