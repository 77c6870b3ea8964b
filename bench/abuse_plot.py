"""Draws abuses: the longest gap and the memory of each, beside those of an earlier run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["plot"]

_OURS, _THEIRS, _BOUND = "tab:blue", "0.6", "tab:red"
#: A shorter pause than the pace of the streams is not a gap.
_LEAST_MS = 20.0
_LEAST_MB = 1.0


def plot(facts: dict[str, Any], path: Path, before: dict[str, Any] | None = None) -> None:
    """The file name's ending decides the format, .svg or .png. Needs matplotlib (the extra
    ``bench``).

    ``before``: the facts of an earlier run, whose figures are drawn as hollow marks.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    abuses = facts["abuses"][::-1]
    earlier = {one["name"]: one for one in (before or {}).get("abuses", ())}
    figure, (gaps, memory) = pyplot.subplots(
        1, 2, sharey=True, figsize=(11, 1.6 + 0.32 * len(abuses)), layout="constrained"
    )
    for axes, value, least, bound in (
        (gaps, lambda one: one["gaps"]["own"], _LEAST_MS, lambda one: facts["bounds"]["gap_ms"]),
        (memory, lambda one: one["peak_mb"], _LEAST_MB, lambda one: one["bound_mb"]),
    ):
        for place, one in enumerate(abuses):
            axes.barh(place, max(value(one), least), color=_OURS, height=0.6)
            axes.plot([bound(one)] * 2, [place - 0.42, place + 0.42], color=_BOUND, linewidth=2)
            if one["name"] in earlier:
                axes.plot(
                    max(value(earlier[one["name"]]), least), place, marker="o", color="0.3",
                    markerfacecolor="white", markersize=6, linestyle="none",
                )  # fmt: skip
        for place, one in enumerate(abuses):
            told = max(value(one), 0.0)
            axes.text(max(told, least), place, f" {told:.0f}", va="center", fontsize=7)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
        axes.margins(x=0.12, y=0.01)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    for place, one in enumerate(abuses):
        control = max(one["gaps"]["control"], _LEAST_MS)
        gaps.plot(control, place, marker="|", color="black", markersize=10, linestyle="none")
    gaps.set_yticks(range(len(abuses)), [one["title"] for one in abuses], fontsize=8)
    gaps.set_xlabel("longest gap of an innocent stream, ms (black: past the proxy)", fontsize=8)
    gaps.set_xlim(left=_LEAST_MS)
    memory.set_xlabel("peak memory more than before, MB", fontsize=8)
    memory.set_xlim(left=_LEAST_MB)
    hollow = "; circles: " + str(before["version"]) if before else ""
    figure.suptitle(f"Proxy {facts['version']}; red: the bound{hollow}", fontsize="medium")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
