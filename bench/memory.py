#!/usr/bin/env python3
"""The memory of an open stream, for each relay, with few and with many streams.

python bench/memory.py --with haproxy,envoy,vllm-router --streams 300,1000,4000
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.accounts import private_kb
from bench.engine.build import Engines
from bench.engine.process import EngineFailed
from bench.machine import describe_machine
from bench.markdown import table, tell_winners
from bench.script import Common, deliver, running, take_common, with_common_options
from bench.stage import Tell, set_stage

_ARRIVALS = 400


@click.command()
@click.option("--streams", default="300,4000", show_default=True, help="Open streams, ascending.")
@click.option("--rate", default=1.0, show_default=True, help="Events per second and stream.")
@with_common_options
def main(streams: str, rate: float, **options: Any) -> None:
    """KB per open stream: growth of the relay's anonymous memory since it idled after a warm-up.

    A relay that does not hold them all has a dash and its reason below the table. Each process
    needs some 2 descriptors a stream: raise the limit (ulimit -n 20000) for 4000.
    """
    try:
        counts = sorted({int(word) for word in streams.split(",")})
    except ValueError:
        raise click.BadParameter("want numbers, comma between", param_hint="--streams") from None
    facts: dict[str, Any] = {"streams": counts, "rate": rate, "relays": {}, "skipped": {}}
    with running() as (engines, tell):
        common = take_common(options)
        for name in common.targets:
            try:
                facts["relays"][name] = _measure(name, counts, rate, common, engines, tell)
            except EngineFailed as error:
                facts["skipped"][name] = str(error).splitlines()[0]
    if not facts["relays"]:
        click.echo(f"error: nothing to measure: {facts['skipped']}", err=True)
        raise click.exceptions.Exit(2)
    facts["machine"] = describe_machine()
    deliver(common, as_markdown(facts), facts)


def _measure(
    name: str, counts: list[int], rate: float, common: Common, engines: Engines, tell: Tell
) -> dict[str, Any]:
    """Its version and idle memory, and the memory with each number of streams, in KB."""
    with set_stage(
        engines, common.cores, nice=common.nice, proxy_command=common.proxy_command, tell=tell
    ) as stage:
        stage.start_node("--rate", str(rate))
        stage.start_relays((name,))
        stage.warm(name)
        stage.wait_for_rest()
        pid = stage.relays[name].pid
        told: dict[str, Any] = {"version": stage.versions[name], "idle_kb": private_kb(pid)}
        held: dict[str, int] = {}
        told["open_kb"], so_far = held, 0
        with ExitStack() as loads:
            for count in counts:
                more = count - so_far
                flags = ("--streams", str(more), "--arrivals", str(_ARRIVALS))
                load = loads.enter_context(stage.load(name, *flags))
                try:
                    stage.fill({name: load}, more, more / _ARRIVALS + 15)
                except EngineFailed as error:
                    told["trouble"] = str(error).splitlines()[0]
                    break
                time.sleep(1)
                held[str(count)], so_far = private_kb(pid), count
        return told


def as_markdown(facts: dict[str, Any]) -> str:
    """KB per stream, the relay's over the proxy's, and the idle process's memory."""
    relays, counts = facts["relays"], facts["streams"]
    head = ["relay", "idle MB"]
    for count in counts:
        head += [f"KB/stream at {count}", "× proxy"]
    rows, per = [head], {name: _per_stream(relay) for name, relay in relays.items()}
    base = per.get("proxy", {})
    for name, relay in relays.items():
        row = [f"**{name}**" if name == "proxy" else name, f"{relay['idle_kb'] / 1024:.1f}"]
        for count in counts:
            kb, ours = per[name].get(count), base.get(count)
            row.append("–" if kb is None else f"{kb:.1f}")
            row.append("–" if kb is None or not ours else f"{kb / ours:.2f}")
        rows.append(row)
    winners = [
        tell_winners(
            f"KB per stream at {count}",
            {n: [kb[count] / base[count]] for n, kb in per.items() if count in kb},
        )
        for count in counts
        if base.get(count, 0) > 0
    ]
    troubles = {n: r["trouble"] for n, r in relays.items() if "trouble" in r} | facts["skipped"]
    lines = [
        *winners,
        f"each relay alone, {facts['rate']:g} events/s and stream; anonymous memory (Pss_Anon) of"
        " the relay's processes less that of the idle relay, which has served 20 streams before",
        ", ".join(f"{name} {relay['version']}" for name, relay in relays.items()),
        ", ".join(f"{name}: {text}" for name, text in facts["machine"].items()),
        *(f"**{name} was not measured in full: {why}**" for name, why in troubles.items()),
    ]
    return "\n".join([table(rows), "", *(f"- {line}" for line in lines), ""])


def _per_stream(relay: dict[str, Any]) -> dict[int, float]:
    idle = relay["idle_kb"]
    return {int(count): (kb - idle) / int(count) for count, kb in relay["open_kb"].items()}


if __name__ == "__main__":
    main()
