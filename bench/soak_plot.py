"""Draws a soak: six curves over time, one below the other."""

from __future__ import annotations

from pathlib import Path

from bench.soak_run import Sample

__all__ = ["plot"]


def plot(samples: list[Sample], title: str, warm: float, path: Path) -> None:
    """The file name's ending decides the format, .svg or .png. Needs matplotlib (the extra
    ``bench``)."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    minutes = [one.seconds / 60 for one in samples]
    figure, axes = pyplot.subplots(6, 1, sharex=True, figsize=(9, 13), layout="constrained")
    curves = (
        ("memory, MB", {"private (Pss_Anon)": [one.private_kb / 1024 for one in samples],
                        "resident": [one.resident_kb / 1024 for one in samples]}),
        ("open", {"descriptors": [one.descriptors for one in samples],
                  "streams": [one.streams for one in samples]}),
        ("loop lag, ms", {"worst bucket": [one.lag_worst_ms for one in samples],
                          "mean": [one.lag_ms for one in samples]}),
        ("added latency, ms", {"p99.9": [one.added_p999_ms for one in samples],
                               "p99": [one.added_p99_ms for one in samples],
                               "p50": [one.added_p50_ms for one in samples]}),
        ("share of a core", {"proxy": [one.cpu for one in samples],
                             "proxy waits for it": [one.waited for one in samples],
                             "other programs, its core": [one.others for one in samples]}),
        ("per second", {"events": [one.events_per_second for one in samples],
                        "exchanges": [one.exchanges_per_second for one in samples]}),
    )  # fmt: skip
    for axis, (label, lines) in zip(axes, curves, strict=True):
        for name, values in lines.items():
            axis.plot(minutes, [float("nan") if v is None else v for v in values], label=name)
        axis.set_ylabel(label)
        axis.axvspan(0, warm / 60, color="0.93", zorder=0)
        axis.grid(alpha=0.3)
        axis.legend(loc="upper right", fontsize="small")
        if label in ("loop lag, ms", "added latency, ms", "per second"):
            axis.set_yscale("log")
        else:
            axis.set_ylim(bottom=0)
    axes[-1].set_xlabel("minutes (grey: warm-up, not judged)")
    figure.suptitle(title, fontsize="medium")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    pyplot.close(figure)
