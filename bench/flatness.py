"""Whether a line is flat: its slope, and the confidence.

Memory wanders: neighbouring samples are similar, and an interval that treats each as independent is
far too narrow. So the samples are cut into blocks that are longer than this correlation, and the
slope is Theil and Sen's, the median over all pairs of block medians, with Sen's interval from
Kendall's statistic. Single spikes do not change it, and it assumes no distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

__all__ = ["BLOCKS", "Trend", "find_trend"]

#: Few enough to be long, and enough for an interval.
BLOCKS = 10
#: The true slope is inside the interval in 95 of 100 cases.
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Trend:
    """``slope``, and the ends of its 95 % interval, per second. ``level`` is the median of all
    values, ``seconds`` the time from first to last. ``step``: by how much the last blocks exceed
    the first, if each exceeds each, else 0: a single jump has no slope, but is growth."""

    slope: float
    low: float
    high: float
    level: float
    seconds: float
    step: float = 0.0

    @property
    def growth(self) -> float:
        """The increase over the observed time, by the slope."""
        return self.slope * self.seconds

    @property
    def most_growth(self) -> float:
        return self.high * self.seconds

    def exceeds(self, bound: float) -> bool:
        """Whether it surely grows, and by more than ``bound``."""
        return self.step > bound or (self.low > 0 and self.growth > bound)


def find_trend(
    times: Sequence[float], values: Sequence[float], blocks: int = BLOCKS
) -> Trend | None:
    """None if there are fewer samples than blocks."""
    if len(values) < blocks:
        return None
    points = []
    for number in range(blocks):
        part = slice(number * len(values) // blocks, (number + 1) * len(values) // blocks)
        points.append((median(times[part]), median(values[part])))
    slopes = sorted((y - x) / (u - t) for (t, x), (u, y) in combinations(points, 2))
    reach = _Z * math.sqrt(blocks * (blocks - 1) * (2 * blocks + 5) / 18)
    cut = max(0, math.floor((len(slopes) - reach) / 2))
    return Trend(
        slope=median(slopes),
        low=slopes[cut],
        high=slopes[-1 - cut],
        level=median(values),
        seconds=times[-1] - times[0],
        step=_find_step([value for _, value in points]),
    )


def _find_step(levels: Sequence[float]) -> float:
    """For a flat line the last three exceed the first three by chance once in twenty times."""
    first, last = levels[:3], levels[-3:]
    return median(last) - median(first) if min(last) > max(first) else 0.0
