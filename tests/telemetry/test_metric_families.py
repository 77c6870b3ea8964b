"""Counters and histograms as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Histogram as Theirs
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from casedesk_proxy.telemetry.metric_families import CounterFamily, HistogramFamily
from tests.fixtures.table import table


class Shown(Collector):
    def __init__(self, *parts: CounterFamily | HistogramFamily) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        for part in self._parts:
            yield part.collect()


def render(*parts: CounterFamily | HistogramFamily) -> str:
    registry = CollectorRegistry()
    registry.register(Shown(*parts))
    return generate_latest(registry).decode()


def test_counts() -> None:
    counts = CounterFamily("x", "Told.", ("a", "b"))
    counts.labels("1", 'q"').value += 1
    counts.labels("1", 'q"').value += 2
    counts.labels("2", "")
    text = render(counts)
    assert 'x_total{a="1",b="q\\""} 3.0' in text
    assert 'x_total{a="2",b=""} 0.0' in text
    assert "# TYPE x_total counter" in text


@given(st.lists(st.sampled_from([0.0, 0.5, 0.999, 1.0, 1.5, 2.5, 3.0, 1e9]), max_size=20))
def test_a_histogram_counts_as_the_library_does(values: list[float]) -> None:
    ours = HistogramFamily("h", "Told.", ("a",), (1, 2.5))
    theirs = Theirs(
        "h", "Told.", ["a"], registry=(registry := CollectorRegistry()), buckets=(1, 2.5)
    )
    for value in values:
        ours.labels("x").observe(value)
        theirs.labels("x").observe(value)
    wanted = [
        line for line in generate_latest(registry).decode().splitlines() if "_created" not in line
    ]
    assert render(ours).splitlines() == wanted


def test_a_histogram_without_values_is_not_told() -> None:
    ours = HistogramFamily("h", "Told.", ("a",), (1,))
    ours.labels("x")
    assert "h_count" not in render(ours)


@table("bound", [0.0001, 1, 14400])
def test_bounds_are_floats(bound: float) -> None:
    ours = HistogramFamily("h", "Told.", (), (bound,))
    ours.labels().observe(bound)
    assert f'h_bucket{{le="{float(bound)}"}} 1.0' in render(ours)
