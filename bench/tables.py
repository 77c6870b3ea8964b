"""An outcome as a Markdown table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from statistics import median
from typing import Any

from bench.comparison import Outcome, Sample
from bench.engine.histogram import Histogram
from bench.markdown import spread, table, tell_winners

__all__ = ["as_json", "as_markdown", "own_costs", "ratios", "warnings"]

_CROWDED = 0.85
_DISTURBED = 0.15


def as_markdown(outcome: Outcome, machine: dict[str, str]) -> str:
    """The table, the settings of the measurement, and what makes it doubtful."""
    settings = outcome.settings
    names = list(outcome.versions)
    bases = [base for base in ("proxy", "nginx", "floor") if base in names]
    head = [
        "relay", "CPU µs/event", *(f"× {base}" for base in bases), "KB/stream",
        "events", "lost / twice / disordered", "held back", "added ms p50", "p99", "p99.9",
    ]  # fmt: skip
    rows = [_row(outcome, name, bases) for name in names]
    load, node = own_costs(outcome)
    return "\n".join(
        [
            table([head, *rows]),
            "",
            "Median of the rounds (least–most). Ratios are paired within each round.",
            "",
            *(f"- {text}" for text in _winners(outcome)),
            f"- {settings.streams} streams per relay × {settings.rate:g} events/s × about"
            f" {outcome.event_bytes} B, {len(outcome.rounds)} rounds of {settings.seconds:g} s,"
            f" all relays at the same moment on core {settings.target_core},"
            f" node and clients on core {settings.load_core}",
            f"- own cost: node {node:.1f}, clients {load:.1f} µs CPU per event; {_busy(outcome)}",
            "- " + ", ".join(f"{name} {text}" for name, text in outcome.versions.items()),
            "- " + ", ".join(f"{name}: {text}" for name, text in machine.items()),
            *(f"- **{text}**" for text in warnings(outcome)),
            "",
        ]
    )


def _winners(outcome: Outcome) -> list[str]:
    """Which peer is better than the proxy, if it took part."""
    if "proxy" not in outcome.versions:
        return []
    costs = {name: ratios(outcome, name, "proxy") for name in outcome.versions}
    late = {
        name: [_p99(r.samples[name]) / _p99(r.samples["proxy"]) for r in outcome.rounds]
        for name in outcome.versions
    }
    return [
        tell_winners("CPU per event", costs),
        tell_winners("added latency p99", late),
    ]


def _p99(sample: Sample) -> int:
    return sample.added.quantile(0.99) or 1


def warnings(outcome: Outcome) -> list[str]:
    """What a reader must know before trusting the numbers."""
    settings = outcome.settings
    told = [f"{name} was not measured: {why}" for name, why in outcome.skipped.items()]
    for core, what, shares in (
        (settings.load_core, "node and clients", [r.load_share for r in outcome.rounds]),
        (settings.target_core, "relays", [r.target_share for r in outcome.rounds]),
    ):
        others = [
            round_.busy.get(core, 0.0) - share
            for round_, share in zip(outcome.rounds, shares, strict=True)
        ]
        if max(shares) > _CROWDED:
            told.append(f"{what} filled {max(shares):.0%} of core {core}: ask for less")
        if max(others) > _DISTURBED:
            told.append(
                f"other programs took {max(others):.0%} of core {core}: latencies are theirs"
            )
    for name in outcome.versions:
        if errors := sum(round_.samples[name].errors for round_ in outcome.rounds):
            told.append(f"{name}: {errors} streams broke")
    return told


def ratios(outcome: Outcome, name: str, base: str) -> list[float]:
    """CPU per event of one relay over another's, round by round."""
    return [
        round_.samples[name].us_per_event / round_.samples[base].us_per_event
        for round_ in outcome.rounds
    ]


def as_json(outcome: Outcome, machine: dict[str, str]) -> dict[str, Any]:
    """Raw rounds, settings and versions. Times in nanoseconds unless a name says otherwise."""
    names = list(outcome.versions)
    load, node = own_costs(outcome)
    return {
        "machine": machine,
        "versions": outcome.versions,
        "skipped": outcome.skipped,
        "warnings": warnings(outcome),
        "settings": asdict(outcome.settings),
        "load_us_per_event": load,
        "node_us_per_event": node,
        "relays": {
            name: {
                "us_per_event": median(_costs(outcome, name)),
                "ratios": {base: median(ratios(outcome, name, base)) for base in names},
                "kb_per_stream": outcome.kb_per_stream(name),
                "idle_kb": outcome.idle_kb[name],
                "open_kb": outcome.open_kb[name],
                "events": _events(outcome, name),
                "faults": _faults(outcome, name),
            }
            for name in names
        },
        "rounds": [
            {
                "seconds": round_.seconds,
                "busy": round_.busy,
                "node_cpu_ns": round_.node_cpu_ns,
                "relays": {
                    name: {
                        "cpu_ns": sample.cpu_ns,
                        "load_cpu_ns": sample.load_cpu_ns,
                        "events": sample.events,
                        "us_per_event": sample.us_per_event,
                        "faults": sample.faults,
                        "errors": sample.errors,
                        "added_ns": sample.added.pairs,
                    }
                    for name, sample in round_.samples.items()
                },
            }
            for round_ in outcome.rounds
        ],
    }


def _row(outcome: Outcome, name: str, bases: Iterable[str]) -> list[str]:
    faults = _faults(outcome, name)
    added = Histogram.merged(round_.samples[name].added for round_ in outcome.rounds)
    disordered = faults.get("reordered", 0) + faults.get("crossed", 0)
    return [
        f"**{name}**" if name == "proxy" else name,
        spread(_costs(outcome, name), 2),
        *(spread(ratios(outcome, name, base), 3) for base in bases),
        f"{outcome.kb_per_stream(name):.1f}",
        str(_events(outcome, name)),
        f"{faults.get('lost', 0)} / {faults.get('duplicated', 0)} / {disordered}",
        str(faults.get("merged_late", 0)),
        *(f"{(added.quantile(share) or 0) / 1e6:.3f}" for share in (0.5, 0.99, 0.999)),
    ]


def own_costs(outcome: Outcome) -> tuple[float, float]:
    """CPU µs per event of the clients and of the node."""
    events = sum(round_.events for round_ in outcome.rounds) or 1
    load = sum(s.load_cpu_ns for round_ in outcome.rounds for s in round_.samples.values())
    node = sum(round_.node_cpu_ns for round_ in outcome.rounds)
    return load / 1000 / events, node / 1000 / events


def _costs(outcome: Outcome, name: str) -> list[float]:
    return [round_.samples[name].us_per_event for round_ in outcome.rounds]


def _events(outcome: Outcome, name: str) -> int:
    return sum(round_.samples[name].events for round_ in outcome.rounds)


def _faults(outcome: Outcome, name: str) -> dict[str, int]:
    total: dict[str, int] = {}
    for round_ in outcome.rounds:
        for kind, number in round_.samples[name].faults.items():
            total[kind] = total.get(kind, 0) + number
    return total


def _busy(outcome: Outcome) -> str:
    settings, rounds = outcome.settings, outcome.rounds
    load = median(round_.load_share for round_ in rounds)
    target = median(round_.target_share for round_ in rounds)
    return (
        f"node and clients took {load:.0%} of core {settings.load_core},"
        f" the relays {target:.0%} of core {settings.target_core}"
    )
