"""Parts of the reports: tables, medians with their spread, and who won."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

__all__ = ["spread", "table", "tell_winners"]

#: Not peers of the proxy: its own further rows, and the C floor that knows no HTTP.
_NO_PEERS = ("proxy", "transposed", "proxy-tls", "proxy-tls-loop", "floor")


def spread(values: Sequence[float], digits: int) -> str:
    """Median, lowest and highest value."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the first row its head, aligned for reading as text."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def tell_winners(what: str, ratios: Mapping[str, Sequence[float]], *, less: bool = True) -> str:
    """Which peers are better than the proxy by the median of their ratios to it, as a sentence.

    ``ratios`` are peer over proxy, round by round; ``less``: lower is better.
    """
    won = {
        name: values
        for name, values in ratios.items()
        if name not in _NO_PEERS and (median(values) < 1 if less else median(values) > 1)
    }
    if not won:
        return f"{what}: no peer here does better than the proxy"
    return f"{what}: " + ", ".join(
        f"{name} WINS ({median(values):.3f} × the proxy, in"
        f" {sum(v < 1 if less else v > 1 for v in values)} of {len(values)} rounds)"
        for name, values in won.items()
    )
