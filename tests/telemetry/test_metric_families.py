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


@given(
    st.dictionaries(
        st.tuples(st.text(max_size=4), st.sampled_from(["a", 'q"', "b\\\n", ""])),
        st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.5, 3.0, 1e9]), min_size=1, max_size=5),
        max_size=4,
    ),
    st.sampled_from([("a", "b"), ("a", "z"), ("z", "a"), ("n", "m")]),
    st.sampled_from([0, 7, 999_999, 1_000_000, 123_456_789, 10**22, 1.5]),
)
def test_written_as_the_library_writes(
    told: dict[tuple[str, str], list[float]], names: tuple[str, str], more: float
) -> None:
    counts = CounterFamily("x", "Told.", names)
    histogram = HistogramFamily("h", "Told.", names, (0.005, 1, 2.5))
    for key, values in told.items():
        counts.labels(*key).value += more  # type: ignore[assignment]
        for value in values:
            histogram.labels(*key).observe(value)
    alone = CounterFamily("y", "Told.", ())
    alone.labels().value += 3
    single = HistogramFamily("s", "Told.", (), (1,))
    single.labels().observe(0.5)
    histogram.labels("never", "seen")
    for part in (counts, histogram, alone, single):
        assert "".join(part.write()) == render(part)
