#!/usr/bin/env python3
"""The effect of large requests and replies on other streams.

python bench/large.py [--with litellm] [--without floor]

Each relay in turn, alone on its core with whatever processes it starts: innocent streams run
through all cases of a round, and beside them large requests come at a pace. The streams' added
latency shows their effect. Relays that do not read bodies are measured with the cases that they
support.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.accounts import core_seconds, cpu_ns, private_kb
from bench.engine.clients import GRAVE, Snapshot, ask
from bench.engine.histogram import Histogram
from bench.engine.process import EngineFailed
from bench.large_cases import CASES, Case, Senders, write_embeddings
from bench.machine import describe_machine
from bench.markdown import table
from bench.script import deliver, running, take_common, with_common_options
from bench.stage import Stage, set_stage

SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
#: Seconds after which a planner has started.
_WARM_S = 6.0
_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Window:
    """One case at one relay. ``peak_kb``: the peak memory of the relay's processes, ``others``: the
    share of its core that other programs used."""

    added: Histogram
    lost: int
    seconds: list[float]
    failures: dict[str, int]
    left_out: int
    cpu_ns: int
    peak_kb: int
    others: float

    def as_json(self) -> dict[str, Any]:
        return {
            "added_ns": self.added.pairs, "lost": self.lost, "seconds": self.seconds,
            "failures": self.failures, "left_out": self.left_out, "cpu_ns": self.cpu_ns,
            "peak_kb": self.peak_kb, "others": self.others,
        }  # fmt: skip


@click.command()
@click.option("-n", "--streams", default=40, show_default=True, help="Innocent streams.")
@click.option("--rate", default=50.0, show_default=True, help="Events per second and stream.")
@click.option("--rounds", default=3, show_default=True, help="Turns that each relay has.")
@click.option("--seconds", default=8.0, show_default=True, help="Length of a case.")
@click.option("--case", "wanted", default="", help="Only cases whose name holds this.")
@with_common_options
def main(
    streams: int, rate: float, rounds: int, seconds: float, wanted: str, **options: Any
) -> None:
    """Measure the streams' added latency while large requests and replies pass beside them.

    Exit code 1 if a stream or a large request through the proxy broke, 2 if nothing could be
    measured.
    """
    with running() as (engines, tell):
        common = take_common(options)
        cases = [one for one in CASES if wanted in one.name or not one.per_second]
        with set_stage(
            engines, common.cores, nice=common.nice, proxy_command=common.proxy_command, tell=tell
        ) as stage:
            replies = stage.folder / "embeddings.json"
            replies.write_bytes(write_embeddings())
            stage.start_node("--rate", str(rate), "--embeddings", str(replies))
            stage.start_relays(tuple(name for name in common.targets if name != "floor"))
            stage.warm_all()
            time.sleep(_WARM_S)
            taken = [_take_round(stage, cases, streams, seconds) for _ in range(rounds)]
            facts = {
                "machine": describe_machine(),
                "versions": stage.versions,
                "skipped": stage.skipped,
                "settings": {"streams": streams, "rate": rate, "seconds": seconds},
                "cases": {one.name: one.per_second for one in cases},
                "rounds": [
                    {
                        name: {case: window.as_json() for case, window in windows.items()}
                        for name, windows in one.items()
                    }
                    for one in taken
                ],
            }
    deliver(common, as_markdown(taken, facts), facts)
    ours = [window for one in taken for window in one.get("proxy", {}).values()]
    raise click.exceptions.Exit(1 if any(one.lost or one.failures for one in ours) else 0)


def _take_round(
    stage: Stage, cases: list[Case], streams: int, seconds: float
) -> dict[str, dict[str, Window]]:
    taken: dict[str, dict[str, Window]] = {}
    for name in stage.targets:
        with stage.load(name, "--streams", str(streams)) as load:
            stage.fill({name: load}, streams, 20)
            taken[name] = {
                one.name: _take_window(stage, name, load, one, seconds)
                for one in cases
                if one.everybody or name == "proxy"
            }
    return taken


def _take_window(stage: Stage, name: str, load: Any, case: Case, seconds: float) -> Window:
    stage.tell(f"{name}: {case.name}", 0.0)
    time.sleep(_PAUSE_S)
    pid, senders, peak = stage.relays[name].pid, Senders(stage.targets[name], case), [0]

    def look() -> None:
        peak[0] = max(peak[0], private_kb(pid))

    core, begun = stage.cores.target, time.monotonic()
    then, cpu, busy = ask(load), cpu_ns(pid), [core_seconds()[core]]
    senders.run(begun + seconds, look)
    now, spent, took = ask(load), cpu_ns(pid) - cpu, time.monotonic() - begun
    busy.append(core_seconds()[core])
    stage.check_alive(name)
    if case.per_second and not senders.seconds:
        raise EngineFailed(f"{name}: no answer to {case.name}: {senders.failures}")
    return Window(
        added=now.histograms["added"].since(then.histograms["added"]),
        lost=_count_lost(now) - _count_lost(then),
        seconds=senders.seconds,
        failures=senders.failures,
        left_out=senders.left_out,
        cpu_ns=spent,
        peak_kb=peak[0],
        others=(busy[1][0] - busy[0][0]) / (busy[1][1] - busy[0][1] or 1) - spent / 1e9 / took,
    )  # fmt: skip


def _count_lost(told: Snapshot) -> int:
    return sum(told[name] for name in GRAVE) + sum(told["errors"].values())


def as_markdown(rounds: list[dict[str, dict[str, Window]]], facts: dict[str, Any]) -> str:
    names, settings = list(facts["versions"]), facts["settings"]
    head = ["beside the streams", "per s", "relay", *(f"added ms {label}" for label in SHARES)]
    rows = [[*head, "over its base, p99.9", "answered in s", "MB at most", "failed"]]
    for case, pace in facts["cases"].items():
        for name in names:
            windows = [one[name][case] for one in rounds if case in one[name]]
            if not windows:
                continue
            bases = [one[name][CASES[0].name] for one in rounds]
            rows.append([case, f"{pace:g}", name, *_row(windows, bases)])
    others = [w.others for one in rounds for windows in one.values() for w in windows.values()]
    lines = [
        f"{settings['streams']} streams × {settings['rate']:g} events/s;"
        f" {len(rounds)} rounds of {settings['seconds']:g} s a case, each relay alone in its turn",
        "added: from the node's send to the arrival at the client. Over its base: minus the same"
        " relay's with nothing else, in the same round",
        f"other programs took {100 * median(others):.0f} % of the relays' core: latencies are"
        " theirs, too",
        "MB at most: anonymous memory of all of the relay's processes, looked at 5 times a second",
        ", ".join(f"{name} {text}" for name, text in facts["versions"].items()),
        ", ".join(f"{name}: {text}" for name, text in facts["machine"].items()),
        *(f"**{name} was not measured: {why}**" for name, why in facts["skipped"].items()),
    ]
    return "\n".join(
        [table(rows), "", "Median of the rounds (least–most).", "", *(f"- {x}" for x in lines), ""]
    )


def _row(windows: list[Window], bases: list[Window]) -> list[str]:
    late = [_ms(one, 0.999) for one in windows]
    over = [ms - _ms(base, 0.999) for ms, base in zip(late, bases, strict=True)]
    took = [second for one in windows for second in one.seconds]
    failed = sum(sum(one.failures.values()) + one.left_out + one.lost for one in windows)
    return [
        *(_spread([_ms(one, share) for one in windows]) for share in SHARES.values()),
        _spread(over) if windows != bases else "",
        f"{median(took):.3f}" if took else "",
        f"{max(one.peak_kb for one in windows) / 1024:.0f}",
        str(failed),
    ]


def _ms(window: Window, share: float) -> float:
    return (window.added.quantile(share) or 0) / 1e6


def _spread(values: list[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


if __name__ == "__main__":
    main()
