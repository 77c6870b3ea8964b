"""The results of the abuses: the proxy's own gaps, violations, the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.abuse_run import Outcome, Sample
from bench.abuse_scene import Settings
from bench.abuses import ABUSES
from bench.markdown import table

__all__ = ["Bounds", "Gaps", "describe", "find_gaps", "find_misses", "to_facts"]

#: ms between two events of a stream at 50/s.
_PACE_MS = 20.0
#: Seconds without WATCHDOG=1 after which the shipped unit is killed, minus the 5 between two pings.
_WATCHDOG_S = 25.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """``gap_ms`` of a stream, ``request_ms`` of a new request; each abuse has its own limit for
    memory."""

    gap_ms: float = 100.0
    request_ms: float = 1000.0


@dataclass(frozen=True, slots=True)
class Gaps:
    """The longest pauses in ms during the abuse and after it, with what the machine did at that
    moment: the pause of a stream that does not pass through the proxy, or the proxy's wait for its
    core. ``own`` is the longest pause that remains without the machine's share."""

    verbatim: float
    translated: float
    control: float
    waited: float
    own: float


def find_gaps(samples: Sequence[Sample]) -> Gaps:
    """From the samples after the abuse's beginning."""
    judged = [one for one in samples if one.at >= 0]
    own = [_own(samples, place) for place, one in enumerate(samples) if one.at >= 0]
    return Gaps(
        verbatim=max((one.verbatim_ms for one in judged), default=0.0),
        translated=max((one.translated_ms for one in judged), default=0.0),
        control=max((one.control_ms for one in judged), default=0.0),
        waited=max((one.waited_ms for one in judged), default=0.0),
        own=max(own, default=0.0),
    )


def _own(samples: Sequence[Sample], place: int) -> float:
    """The rest of a sample's longest pause without the machine's share."""
    now = samples[place]
    pause = max(now.verbatim_ms, now.translated_ms)
    since = now.at - pause / 1e3 - 0.2  # the pause began within one of the samples before
    within = [one for one in samples[: place + 1] if one.at >= since]
    control = max(one.control_ms for one in within) - _PACE_MS
    return pause - max(0.0, control, sum(one.waited_ms for one in within))


def find_misses(outcome: Outcome, bounds: Bounds) -> list[str]:
    """All violations, each in a few words."""
    abuse, misses = ABUSES[outcome.name], []
    if outcome.failure:
        misses.append(outcome.failure.splitlines()[0])
    if (own := find_gaps(outcome.samples).own) > bounds.gap_ms:
        misses.append(f"gap {own:.0f} ms")
    if outcome.peak_mb > abuse.bound_mb:
        misses.append(f"memory +{outcome.peak_mb:.0f} MB, bound {abuse.bound_mb:.0f}")
    if outcome.pulse_s > _WATCHDOG_S:
        misses.append("watchdog missed")
    errors = {
        what: number
        for what, number in outcome.errors.items()
        if not (abuse.new_may_wait and what.startswith("status"))
    }
    if errors:
        misses.append("streams: " + _list(errors))
    refused = {said: n for said, n in outcome.requests.items() if said != "200"}
    if not abuse.new_may_wait:
        if refused:
            misses.append("requests: " + _list(refused))
        if outcome.late_slowest_ms > bounds.request_ms:
            misses.append(f"a request took {outcome.late_slowest_ms / 1e3:.1f} s")
    if outcome.calm_s is None and not outcome.failure:
        misses.append("not back to normal")
    return misses


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} × {what}" for what, number in sorted(counts.items()))


def describe(
    outcomes: Sequence[Outcome], settings: Settings, bounds: Bounds, version: str,
    machine: dict[str, str],
) -> str:  # fmt: skip
    """The table and its explanation, as Markdown."""
    head = (
        "abuse", "longest gap, ms: verbatim", "translated", "own", "control", "slowest request, s",
        "peak memory, MB", "bound", "without WATCHDOG=1, s", "normal after, s", "misses",
    )  # fmt: skip
    rows = [head, *(_row(one, bounds) for one in outcomes)]
    missed = sum(bool(find_misses(one, bounds)) for one in outcomes)
    verdict = f"**{missed} of {len(outcomes)} miss their bounds.**" if missed else "None misses."
    return "\n".join(
        [
            table(rows),
            "",
            f"{settings.streams} innocent streams × {settings.rate:g} events/s, half of them"
            f" translated; each abuse {settings.seconds:g} s against a proxy of its own. Proxy"
            f" {version} on core {settings.target_core}, node, clients and abuser on core"
            f" {settings.load_core}. {verdict}",
            "",
            "- " + ", ".join(f"{name}: {text}" for name, text in machine.items()),
        ]
    )


def _row(one: Outcome, bounds: Bounds) -> tuple[str, ...]:
    gaps, misses = find_gaps(one.samples), find_misses(one, bounds)
    return (
        f"{one.name}: {ABUSES[one.name].title}",
        f"{gaps.verbatim:.0f}",
        f"{gaps.translated:.0f}",
        f"**{gaps.own:.0f}**" if gaps.own > bounds.gap_ms else f"{max(gaps.own, 0):.0f}",
        f"{gaps.control:.0f}",
        f"{one.slowest_ms / 1e3:.2f}",
        f"+{one.peak_mb:.0f}",
        f"{ABUSES[one.name].bound_mb:.0f}",
        f"{one.pulse_s:.1f}",
        "never" if one.calm_s is None else f"{one.calm_s:.1f}",
        "; ".join(misses) or "–",
    )


def to_facts(
    outcomes: Sequence[Outcome], settings: Settings, bounds: Bounds, version: str,
    machine: dict[str, str],
) -> dict[str, Any]:  # fmt: skip
    return {
        "machine": machine,
        "version": version,
        "settings": asdict(settings),
        "bounds": asdict(bounds),
        "abuses": [
            {
                **asdict(one),
                "samples": [
                    {name: round(value, 2) for name, value in asdict(each).items()}
                    for each in one.samples
                ],
                "title": ABUSES[one.name].title,
                "bound_mb": ABUSES[one.name].bound_mb,
                "gaps": asdict(find_gaps(one.samples)),
                "misses": find_misses(one, bounds),
            }
            for one in outcomes
        ],
    }
