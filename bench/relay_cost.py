#!/usr/bin/env python3
"""The cost of relaying one event: the proxy, nginx and a floor in C, side by side.

python bench/relay_cost.py                 # the table of README.md
python bench/relay_cost.py --with haproxy --rounds 9 --json bench/out/relay_cost.json
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.comparison import Outcome, Settings, compare
from bench.engine.clients import GRAVE
from bench.machine import describe_machine
from bench.script import deliver, running, take_common, with_common_options
from bench.tables import as_json, as_markdown


@click.command()
@click.option("-n", "--streams", default=300, show_default=True, help="Streams per relay.")
@click.option("--rate", default=50.0, show_default=True, help="Events per second and stream.")
@click.option("--size", default=300, show_default=True, help="Bytes of an event.")
@click.option("--rounds", default=5, show_default=True, help="Windows that are measured.")
@click.option("--seconds", default=5.0, show_default=True, help="Length of a window.")
@click.option("--tick", default=1000, show_default=True, help="The node sends what is due every so many µs.")  # fmt: skip  # noqa: E501
@with_common_options
def main(**options: Any) -> None:
    """Load all relays at the same moment and print CPU per event, memory and latency.

    Needs two cores and a C compiler; nginx is installed if it is missing and root runs this.
    Exit code 1 when the proxy lost or broke anything, 2 when there was nothing to measure.
    """
    with running() as (engines, tell):
        common = take_common(options)
        settings = Settings(
            targets=common.targets,
            load_core=common.cores.load,
            target_core=common.cores.target,
            nice=common.nice,
            proxy_command=common.proxy_command,
            **options,
        )
        outcome = compare(settings, engines, tell)
    machine = describe_machine()
    deliver(common, as_markdown(outcome, machine), as_json(outcome, machine))
    raise click.exceptions.Exit(1 if _is_faulty(outcome) else 0)


def _is_faulty(outcome: Outcome) -> bool:
    samples = [round_.samples["proxy"] for round_ in outcome.rounds if "proxy" in round_.samples]
    return any(sample.errors or sample.faults.keys() & set(GRAVE) for sample in samples)


if __name__ == "__main__":
    main()
