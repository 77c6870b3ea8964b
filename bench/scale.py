#!/usr/bin/env python3
"""How the cost of a request, of a list of models and of a scrape grows with the numbers of nodes,
models, aliases and deployments.

python -m bench.scale [--json FILE] [--before FILE]

CPU time of this process for one call, the best of several rounds: no node, no socket. ``--before``
takes the file that ``--json`` wrote with another version's package on PYTHONPATH, and shows the
ratios of both. `CASES` has the measured code for each row. The second table is a scrape
of /metrics, by the number of deployments that have been used.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from casedesk_proxy.catalog.lists import describe, visible
from casedesk_proxy.catalog.names import ModelRules
from casedesk_proxy.config.load import load_config
from casedesk_proxy.errors import NotFound
from casedesk_proxy.fastpath.memory import Memory
from casedesk_proxy.planning.plan import plan_request
from casedesk_proxy.planning.route import ModelPlacement, PlacementKey, PlanInputs
from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.snapshot import NodeSpec, Snapshot, compile_snapshot
from casedesk_proxy.surfaces.paths import read_call
from casedesk_proxy.telemetry.metrics import Metrics
from casedesk_proxy.terms import ModelInfo

_ROUNDS = 5
#: Seconds that a round may take; a slow call is made once.
_ROUND_S = 0.02
_BODY = b'{"model":"%b","messages":[{"role":"user","content":"x"}]}'
#: Nodes, models of each, patterns, aliases.
SIZES = (
    (1, 10, 0, 0),
    (10, 1000, 0, 0),
    (1, 10, 1000, 0),
    (10, 1000, 0, 1000),
    (100, 1000, 0, 0),
    (100, 1000, 1000, 1000),
)
#: As in the daemon.
_PLACES: Memory[PlacementKey, ModelPlacement] = Memory(512)
_NO_NODES: dict[str, NodeSpec] = {}
Reported = dict[str, tuple[ModelInfo, ...]]
Case = Callable[[Snapshot, Reported], object]


def configure(nodes: int, patterns: int, aliases: int) -> Snapshot:
    names = [f"n{number}" for number in range(nodes)]
    urls = [f'  {name}: {{url: "http://127.0.0.1:{9000 + at}"}}' for at, name in enumerate(names)]
    rows = [f'      "p{number}-*": model-1' for number in range(patterns)]
    rows += [f"      alias-{number}: model-{number % 10}" for number in range(aliases)]
    text = "\n".join(
        [
            *("default_deployment: d", "nodes:", *urls, "deployments:", "  d:", "    auth: none"),
            f"    nodes: [{', '.join(names)}]",
            *(["    aliases:", *rows] if rows else []),
        ]
    )
    return compile_snapshot(load_config(text, "scale").config, {})


def report(nodes: int, models: int) -> Reported:
    """In the metadata's form: all nodes have the same models."""
    lists = tuple(ModelInfo(f"model-{number}") for number in range(models))
    return {f"n{number}": _kept(lists) for number in range(nodes)}


def _kept(models: tuple[ModelInfo, ...]) -> tuple[ModelInfo, ...]:
    try:
        from casedesk_proxy.catalog.index import ModelList
    except ImportError:  # A version that does not have it yet.
        return models
    return ModelList(models)


def rules_of(snapshot: Snapshot) -> ModelRules:
    return snapshot.deployments["d"].rules


def plan(snapshot: Snapshot, reported: Reported, model: bytes = b"model-9") -> None:
    """Plan a request with a new head for a model that others have requested."""
    call = read_call("POST", "/v1/chat/completions", ())
    inputs = PlanInputs(
        call, (), _BODY % model, "r", reported, _NO_NODES, shared_placements=_PLACES
    )
    plan_request(snapshot, snapshot.deployments["d"], inputs)


def plan_pattern(snapshot: Snapshot, reported: Reported) -> None:
    pattern = b"p999-x" if rules_of(snapshot).patterns else b"model-9"
    plan(snapshot, reported, pattern)


def plan_unknown(snapshot: Snapshot, reported: Reported) -> None:
    try:
        plan(snapshot, reported, b"modell-12345-x")
    except NotFound:
        return
    raise AssertionError("it is served")


CASES: dict[str, Case] = {
    "plan of a new head": plan,
    "the same through the last pattern": plan_pattern,
    "an unknown model, once": plan_unknown,
    "one model of the catalogue": lambda snapshot, reported: describe(
        "model-9", rules_of(snapshot), reported
    ),
    "the whole catalogue": lambda snapshot, reported: visible(rules_of(snapshot), reported),
}


def cost(do: Callable[[], object]) -> float:
    """Microseconds of CPU for one call."""
    do()
    best = float("inf")
    for _ in range(_ROUNDS):
        calls, began = 0, time.process_time()
        while (spent := time.process_time() - began) < _ROUND_S:
            do()
            calls += 1
        best = min(best, spent / calls)
    return best * 1e6


def scrape(deployments: int) -> Callable[[], bytes]:
    metrics = Metrics()
    for number in range(deployments):
        metrics.count(
            ExchangeRecord(
                request_id="r",
                started=0.0,
                first_byte=0.2,
                ended=3.0,
                status=200,
                events=90,
                deployment=f"d{number}",
                surface="openai",
                node="n",
                terminal=Terminal.COMPLETED,
            )
        )
    return metrics.render


def measure() -> Iterator[tuple[str, str, float]]:
    for nodes, models, patterns, aliases in SIZES:
        size = f"{nodes} × {models}, {patterns} patterns, {aliases} aliases"
        snapshot, reported = configure(nodes, patterns, aliases), report(nodes, models)
        for name, case in CASES.items():
            yield size, name, cost(partial(case, snapshot, reported))


@click.command()
@click.option("--json", "kept", type=click.Path(path_type=Path), help="Where figures are kept.")
@click.option("--before", type=click.Path(path_type=Path, exists=True), help="Another version's.")
def main(kept: Path | None, before: Path | None) -> None:
    figures: dict[str, dict[str, float]] = {}
    for size, name, spent in measure():
        figures.setdefault(size, {})[name] = spent
    if kept is not None:
        kept.write_text(json.dumps(figures))
    old: dict[str, Any] = json.loads(before.read_text()) if before is not None else {}
    click.echo("| nodes × models | " + " | ".join(CASES) + " |\n|" + "---|" * (len(CASES) + 1))
    for size, row in figures.items():
        cells = [_cell(row[name], old.get(size, {}).get(name)) for name in CASES]
        click.echo(f"| {size} | " + " | ".join(cells) + " |")
    click.echo("\n| deployments in use | a scrape | bytes |\n|---|---|---|")
    for deployments in (1, 10, 100, 1000):
        render = scrape(deployments)
        click.echo(f"| {deployments} | {cost(render) / 1000:,.1f} ms | {len(render()):,} |")


def _cell(spent: float, before: float | None) -> str:
    return f"{spent:,.0f} µs" + (f" ({before / spent:.1f} × less)" if before else "")


if __name__ == "__main__":
    main()
