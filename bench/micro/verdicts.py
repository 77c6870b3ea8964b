"""The meaning of the figures, and their presentation."""

from __future__ import annotations

from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.micro.pairs import Comparison, interval

__all__ = ["compared", "show_compared", "show_costs"]

_WORDS = {"slower": "[red]slower[/red]", "faster": "[green]faster[/green]"}


def compared(one: Comparison, alarms: float, bound: float) -> dict[str, Any]:
    """One case as plain facts. ``verdict``: slower, faster, or "same" if the noise allows no other.
    ``fails``: certainly slower, and by more than ``bound`` (a share)."""
    between = interval(one.ratios, alarms)
    verdict = "same"
    if between is not None and between[0] > 1:
        verdict = "slower"
    elif between is not None and between[1] < 1:
        verdict = "faster"
    return {
        "name": one.name,
        "operation": one.operation,
        "old_ns": median(one.old),
        "new_ns": median(one.new),
        "ratio": one.ratio,
        "interval": between,
        "verdict": verdict,
        "fails": verdict == "slower" and one.ratio > 1 + bound,
        "ratios": one.ratios,
    }


def show_compared(
    verdicts: list[dict[str, Any]], absent: dict[str, str], broken: dict[str, str], against: str
) -> None:
    console = _console()
    table = Table("benchmark", f"{against} ns", "here ns", "ratio", "surely within", "")
    for one in verdicts:
        between = one["interval"]
        table.add_row(
            one["name"], f"{one['old_ns']:.0f}", f"{one['new_ns']:.0f}",
            f"{one['ratio']:.3f}", f"{between[0]:.3f}–{between[1]:.3f}" if between else "–",
            _WORDS.get(one["verdict"], "no difference seen"),
        )  # fmt: skip
    console.print(table)
    for name, why in absent.items():
        console.print(f"not in {against}: {name} ({why})", highlight=False, markup=False)
    _tell_broken(console, broken)


def show_costs(costs: dict[str, dict[str, Any]], broken: dict[str, str]) -> None:
    console = _console()
    table = Table("benchmark", "operation", "ns", "half of all")
    for name, one in costs.items():
        figures = (
            (f"{one['ns']:.0f}", f"{one['low']:.0f}–{one['high']:.0f}") if "ns" in one else ("", "")
        )
        table.add_row(name, one["operation"], *figures)
    console.print(table)
    _tell_broken(console, broken)


def _console() -> Console:
    """As wide as the tables if there is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=120)


def _tell_broken(console: Console, broken: dict[str, str]) -> None:
    for name, why in broken.items():
        console.print(f"BROKEN: {name}: {why}", style="red", highlight=False, markup=False)
