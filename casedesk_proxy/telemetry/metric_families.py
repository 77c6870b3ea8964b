"""Counters and histograms that cost little to update, shown to Prometheus as its own would be.

prometheus_client's objects take a lock at every update: 1.4 µs a child, 1.8 µs a histogram, where
these take 0.05 and 0.2 (measured); a dozen are updated per exchange, and only ever by the event
loop's thread.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

__all__ = ["CounterChild", "CounterFamily", "HistogramChild", "HistogramFamily"]

Key = tuple[str, ...]


class CounterChild:
    """One combination of label values; whoever updates it often keeps it."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class CounterFamily:
    """A counter's child per combination of label values, in the order of ``label_names``."""

    def __init__(self, name: str, documentation: str, label_names: Sequence[str]) -> None:
        self._name = name
        self._documentation = documentation
        self._label_names = label_names
        self._children: dict[Key, CounterChild] = {}

    def labels(self, *key: str) -> CounterChild:
        """The child of these label values: exported from now on, even while it is 0."""
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = CounterChild()
        return child

    def values(self) -> dict[Key, float]:
        """What has been counted, by label values."""
        return {key: child.value for key, child in self._children.items()}

    def collect(self) -> CounterMetricFamily:
        family = CounterMetricFamily(self._name, self._documentation, labels=self._label_names)
        for key, child in self._children.items():
            family.add_metric(key, child.value)
        return family


class HistogramChild:
    """The same for a histogram: how many values fell below each bound and above the last."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


class HistogramFamily:
    """A histogram's child per combination of label values. ``bounds`` are upper limits, ascending,
    without infinity."""

    def __init__(
        self, name: str, documentation: str, label_names: Sequence[str], bounds: Sequence[float]
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._label_names = label_names
        self._bounds = tuple(bounds)
        self._children: dict[Key, HistogramChild] = {}

    def labels(self, *key: str) -> HistogramChild:
        """The child of these label values: exported as soon as it has a value."""
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = HistogramChild(self._bounds)
        return child

    def collect(self) -> HistogramMetricFamily:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._label_names)
        names = [*map(_format_bound, self._bounds), "+Inf"]
        for key, child in self._children.items():
            below, buckets = 0, []
            for name, count in zip(names, child.counts, strict=True):
                below += count
                buckets.append((name, below))
            if not below:
                continue
            family.add_metric(key, buckets, child.sum)
        return family


def _format_bound(bound: float) -> str:
    return repr(float(bound))
