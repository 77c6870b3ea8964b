"""Histograms as the load engine prints them: pairs of value and count, values ascending.

Values are nanoseconds, in the middle of buckets that are at most 1.6 % wide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Histogram"]


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often each value occurred."""

    pairs: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, pairs: Iterable[Iterable[int]]) -> Histogram:
        """From the parsed JSON of the engine's output."""
        return cls(tuple((value, count) for value, count in pairs))

    @property
    def count(self) -> int:
        return sum(count for _, count in self.pairs)

    def quantile(self, share: float) -> int | None:
        """The lowest value that ``share`` of all values do not exceed; None if there are no
        values."""
        wanted, passed = share * self.count, 0
        for value, count in self.pairs:
            passed += count
            if passed >= wanted:
                return value
        return None

    def since(self, earlier: Histogram) -> Histogram:
        """What was added after ``earlier``, an older state of this histogram."""
        counts = Counter(dict(self.pairs))
        counts.subtract(dict(earlier.pairs))
        return Histogram(tuple(sorted((v, n) for v, n in counts.items() if n)))

    @classmethod
    def merged(cls, parts: Iterable[Histogram]) -> Histogram:
        counts: Counter[int] = Counter()
        for part in parts:
            counts.update(dict(part.pairs))
        return cls(tuple(sorted(counts.items())))
