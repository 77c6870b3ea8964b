"""Counters and histograms that cost little to update, shown to Prometheus as its own would be.

prometheus_client's objects take a lock at every update: 1.4 µs a counter, 1.8 µs a histogram, where
these take 0.05 and 0.2 (measured); a dozen are updated per exchange, and only ever by the event
loop's thread.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

__all__ = ["Counter", "Counts", "Distribution", "Histogram"]

Key = tuple[str, ...]


class Counter:
    """One combination of label values; whoever updates it often keeps it."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Counts:
    """A counter per combination of label values, given in the order of ``labels``."""

    def __init__(self, name: str, told: str, labels: Sequence[str]) -> None:
        self._name = name
        self._told = told
        self._labels = labels
        self._counters: dict[Key, Counter] = {}

    def of(self, *key: str) -> Counter:
        """Told from now on, be it 0."""
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = Counter()
        return counter

    def collect(self) -> CounterMetricFamily:
        family = CounterMetricFamily(self._name, self._told, labels=self._labels)
        for key, counter in self._counters.items():
            family.add_metric(key, counter.count)
        return family


class Distribution:
    """The same for a histogram: how many values fell below each bound and above the last."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


class Histogram:
    """A distribution per combination of label values. ``bounds`` are upper limits, ascending,
    without infinity."""

    def __init__(
        self, name: str, told: str, labels: Sequence[str], bounds: Sequence[float]
    ) -> None:
        self._name = name
        self._told = told
        self._labels = labels
        self._bounds = tuple(bounds)
        self._distributions: dict[Key, Distribution] = {}

    def of(self, *key: str) -> Distribution:
        """Told as soon as it has a value."""
        distribution = self._distributions.get(key)
        if distribution is None:
            distribution = self._distributions[key] = Distribution(self._bounds)
        return distribution

    def collect(self) -> HistogramMetricFamily:
        family = HistogramMetricFamily(self._name, self._told, labels=self._labels)
        names = [*map(_spell, self._bounds), "+Inf"]
        for key, distribution in self._distributions.items():
            below, buckets = 0, []
            for name, count in zip(names, distribution.counts, strict=True):
                below += count
                buckets.append((name, below))
            if not below:
                continue
            family.add_metric(key, buckets, distribution.sum)
        return family


def _spell(bound: float) -> str:
    return repr(float(bound))
