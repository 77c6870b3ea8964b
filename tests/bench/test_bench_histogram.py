"""Quantiles, differences and sums of the engine's histograms."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.engine.histogram import Histogram

values = st.lists(st.integers(0, 1000), max_size=50)


def histogram(numbers: list[int]) -> Histogram:
    return Histogram.of([n, numbers.count(n)] for n in sorted(set(numbers)))


@given(values.filter(bool), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_quantile_is_the_least_value_that_enough_do_not_exceed(
    numbers: list[int], share: float
) -> None:
    found = histogram(numbers).quantile(share)
    enough = [n for n in numbers if sum(m <= n for m in numbers) >= share * len(numbers)]
    assert found == min(enough)


@given(values, values)
def test_a_difference_is_what_was_added(earlier: list[int], more: list[int]) -> None:
    assert histogram(earlier + more).since(histogram(earlier)) == histogram(more)


@given(values, values)
def test_merging_adds(some: list[int], others: list[int]) -> None:
    merged = Histogram.merged([histogram(some), histogram(others)])
    assert merged == histogram(some + others)
    assert merged.count == len(some) + len(others)


def test_nothing_has_no_quantile() -> None:
    assert Histogram(()).quantile(0.5) is None
