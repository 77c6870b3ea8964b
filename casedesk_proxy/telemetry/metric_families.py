"""Counters and histograms that cost little to update, exported to Prometheus in its usual form.

prometheus_client's objects (0.26, CPython 3.11) take a lock at every update: 1.4 µs a child, 1.8 µs
a histogram, while these take 0.05 and 0.2. A dozen are updated per exchange, and only by the event
loop's thread. They also write the text format themselves, in a fifth of its time and one child
after the other: a thousand deployments have sixty thousand lines.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

__all__ = ["CounterChild", "CounterFamily", "HistogramChild", "HistogramFamily"]

Key = tuple[str, ...]

#: For label values.
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
#: Numbers from here on are written with an exponent.
_MAX_PLAIN_COUNTS = 10**6


class CounterChild:
    """One combination of label values; keep a reference if you update it often."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class CounterFamily:
    """A counter with one child per combination of label values, in the order of ``label_names``."""

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
        """The counts, by label values."""
        return {key: child.value for key, child in self._children.items()}

    def collect(self) -> CounterMetricFamily:
        family = CounterMetricFamily(self._name, self._documentation, labels=self._label_names)
        for key, child in self._children.items():
            family.add_metric(key, child.value)
        return family

    def write(self) -> Iterator[str]:
        """The same as `collect` in the text format, one child at a time. Other code may count in
        between."""
        name = f"{self._name}_total"
        yield f"# HELP {name} {self._documentation}\n# TYPE {name} counter\n"
        for key, child in list(self._children.items()):
            labels = ",".join(_write_labels(self._label_names, key))
            yield (
                f"{name}{{{labels}}} {_number(child.value)}\n"
                if labels
                else (f"{name} {_number(child.value)}\n")
            )


class HistogramChild:
    """How many values were at or below each bound, and above the last."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


class HistogramFamily:
    """A histogram with one child per combination of label values. ``bounds`` are upper limits,
    ascending, without infinity."""

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

    def write(self) -> Iterator[str]:
        """The lines of the text format."""
        yield f"# HELP {self._name} {self._documentation}\n# TYPE {self._name} histogram\n"
        bounds = [*map(_format_bound, self._bounds), "+Inf"]
        # Labels are written in the order of their names.
        first = [name for name in self._label_names if name < "le"]
        for key, child in list(self._children.items()):
            if any(child.counts):
                labels = _write_labels(self._label_names, key)
                yield self._write_child(child, bounds, labels, len(first))

    def _write_child(
        self, child: HistogramChild, bounds: list[str], labels: list[str], at: int
    ) -> str:
        before = "".join(f"{one}," for one in labels[:at])
        behind = "".join(f",{one}" for one in labels[at:])
        lines, below = [], 0
        for bound, count in zip(bounds, child.counts, strict=True):
            below += count
            lines.append(f'{self._name}_bucket{{{before}le="{bound}"{behind}}} {_number(below)}\n')
        plain = f"{{{','.join(labels)}}}" if labels else ""
        lines.append(f"{self._name}_count{plain} {_number(below)}\n")
        lines.append(f"{self._name}_sum{plain} {_number(child.sum)}\n")
        return "".join(lines)


def _format_bound(bound: float) -> str:
    return repr(float(bound))


def _number(value: float) -> str:
    if isinstance(value, int) and value < _MAX_PLAIN_COUNTS:
        return f"{value}.0"
    written: str = floatToGoString(value)  # type: ignore[no-untyped-call]
    return written


def _write_labels(names: Sequence[str], key: Key) -> list[str]:
    """Each name with its value, in the order of the names."""
    pairs = sorted(zip(names, key, strict=True))
    return [f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs]
