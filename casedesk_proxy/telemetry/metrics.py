"""The metrics of exchanges: updated once per exchange and never per event.

The number of label sets is bounded: deployments and nodes are named in the configuration; surfaces,
statuses and terminal states are closed sets. Values that are read at the moment of a scrape are in
`gauges`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from casedesk_proxy.replying.record import ExchangeRecord, Terminal
from casedesk_proxy.telemetry.metric_families import (
    CounterChild,
    CounterFamily,
    HistogramChild,
    HistogramFamily,
)
from casedesk_proxy.telemetry.process import ProcessCollector

__all__ = ["Metrics", "SlowCollector", "join_in_turns"]

#: Seconds of one round of the loop that writing metrics may use.
_TURN_S = 0.001
#: Seconds; the first token takes from a cache hit's time to a cold model load's.
_FIRST_BYTE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
#: Seconds; streams last from one word to hours.
_DURATION = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400)
#: Seconds; from the gap between a small model's batches to that of a large model on a full node.
_GAP = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10)
#: Seconds; from the planning of a unary request to the translation of a long conversation.
_OVERHEAD = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
#: Seconds; one close frees a node's slot.
_CANCEL = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)
#: Seconds; above 0.1 every stream stutters visibly.
_LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


#: What each metric counts, by its name without the common beginning.
_HELP = {
    "exchanges": "Requests, by how they ended.",
    "first_byte_seconds": "Seconds from a request to the first byte of its reply's body.",
    "duration_seconds": "Seconds from a request to the end of its reply.",
    "event_gap_seconds": (
        "Mean seconds between two pieces of a reply; one observation for each reply."
    ),
    "overhead_seconds": (
        "Seconds that the proxy itself takes from a request's head until the request is sent to"
        " a node, without queueing."
    ),
    "cancel_seconds": "Seconds from a client's leaving until its connection to the node is closed.",
    "queue_wait_seconds": "Seconds in the queue, of the requests that had to wait for a slot.",
    "failovers": "Attempts at another node after one failed.",
    "cut_prompts": "Requests whose prompt a node cut to its context length without an error.",
    "events": "Pieces of replies relayed from nodes, counted when a reply ends.",
    "bytes": "Bytes of bodies, from clients (in) and to clients (out).",
    "tokens": (
        "Tokens as the nodes counted them. The kind prompt includes what was cached, output"
        " includes thoughts."
    ),
    "config_reloads": "Reloads of the configuration, by result.",
    "loop_lag_seconds": "Event-loop lag in seconds.",
    "descriptors_exhausted": "Half-second intervals in which no file descriptor was free.",
}


@dataclass(slots=True)
class _Series:
    """The metrics that every exchange of a kind updates, looked up once: a dozen lookups by label
    values cost 3 µs an exchange. Token counters are looked up when tokens are reported, since a
    lookup exports the child."""

    exchanges: CounterChild
    duration: HistogramChild
    first_byte: HistogramChild
    overhead: HistogramChild
    received: CounterChild
    sent: CounterChild
    events: CounterChild
    prompt: CounterChild | None = None
    output: CounterChild | None = None


#: For exchanges without a node; never exported.
_NOWHERE = CounterChild()


class Metrics(Collector):
    """``count`` is a sink for records; ``render`` and ``write`` give the text exposition.
    ``events`` and ``sent`` are totals over all finished exchanges."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        whose = "deployment", "surface"
        self._exchanges = _counter("exchanges", *whose, "status", "end")
        self._first_byte = _histogram("first_byte_seconds", _FIRST_BYTE, *whose)
        self._duration = _histogram("duration_seconds", _DURATION, *whose)
        self._gap = _histogram("event_gap_seconds", _GAP, *whose)
        self._overhead = _histogram("overhead_seconds", _OVERHEAD, *whose)
        self._cancel = _histogram("cancel_seconds", _CANCEL)
        self._queued = _histogram("queue_wait_seconds", _FIRST_BYTE, "deployment")
        self._failovers = _counter("failovers", "deployment")
        self._cut = _counter("cut_prompts", "deployment", "node")
        self._events = _counter("events", "deployment", "node")
        self._bytes = _counter("bytes", "deployment", "direction")
        self._tokens = _counter("tokens", "deployment", "node", "kind")
        self._reloads = _counter("config_reloads", "result")
        self._lag = _histogram("loop_lag_seconds", _LAG)
        self._exhausted = _counter("descriptors_exhausted")
        self._exhausted.labels()
        for result in ("taken", "refused"):
            self._reloads.labels(result)
        #: By deployment, surface, node, status and end.
        self._series: dict[tuple[str, str, str, int, Terminal], _Series] = {}
        self.events = 0
        self.sent = 0
        self._families = (
            self._exchanges, self._first_byte, self._duration, self._gap, self._overhead,
            self._queued, self._cancel, self._failovers, self._events, self._bytes, self._tokens,
            self._cut, self._reloads, self._lag, self._exhausted,
        )  # fmt: skip
        self._registry.register(self)
        #: Other collectors, in the order in which they are shown.
        self._others: list[Collector] = []
        self.register(ProcessCollector())

    def count(self, record: ExchangeRecord) -> None:
        kind = record.deployment, record.surface, record.node, record.status, record.terminal
        series = self._series.get(kind)
        if series is None:
            series = self._series[kind] = self._find_series(record)
        series.exchanges.value += 1
        series.duration.observe(record.ended - record.started)
        if record.first_byte is not None:
            series.first_byte.observe(record.first_byte - record.started)
        if record.overhead is not None:
            series.overhead.observe(record.overhead)
        series.received.value += record.received
        series.sent.value += record.sent
        self.sent += record.sent
        if record.node:
            series.events.value += record.events
            self.events += record.events
            if record.usage.prompt or record.usage.output:
                self._count_tokens(series, record)
        if record.events > 2 or record.attempts > 1 or record.queued:
            self._count_unusual(record)
        if record.cut_to is not None:
            self._cut.labels(record.deployment, record.node).value += 1
        if record.cancel is not None:
            self._cancel.labels().observe(record.cancel)

    def _find_series(self, record: ExchangeRecord) -> _Series:
        whose = record.deployment, record.surface
        return _Series(
            exchanges=self._exchanges.labels(*whose, str(record.status), record.terminal.value),
            duration=self._duration.labels(*whose),
            first_byte=self._first_byte.labels(*whose),
            overhead=self._overhead.labels(*whose),
            received=self._bytes.labels(record.deployment, "in"),
            sent=self._bytes.labels(record.deployment, "out"),
            events=self._events.labels(record.deployment, record.node) if record.node else _NOWHERE,
        )

    def _count_tokens(self, series: _Series, record: ExchangeRecord) -> None:
        usage, whose = record.usage, (record.deployment, record.node)
        if usage.prompt:
            if series.prompt is None:
                series.prompt = self._tokens.labels(*whose, "prompt")
            series.prompt.value += usage.prompt
        if usage.output:
            if series.output is None:
                series.output = self._tokens.labels(*whose, "output")
            series.output.value += usage.output
        if usage.cached:
            self._tokens.labels(*whose, "cached").value += usage.cached
        if usage.thoughts:
            self._tokens.labels(*whose, "thoughts").value += usage.thoughts

    def _count_unusual(self, record: ExchangeRecord) -> None:
        deployment = record.deployment
        if record.first_byte is not None and record.events > 2:
            gap = (record.ended - record.first_byte) / (record.events - 1)
            self._gap.labels(deployment, record.surface).observe(gap)
        if record.queued:
            self._queued.labels(deployment).observe(record.queued)
        failovers = record.attempts - 1 - record.repeats
        if record.node and failovers > 0:
            self._failovers.labels(deployment).value += failovers

    def count_reload(self, *, ok: bool) -> None:
        self._reloads.labels("taken" if ok else "refused").value += 1

    def count_exhaustion(self) -> None:
        self._exhausted.labels().value += 1

    def observe_lag(self, lag_s: float) -> None:
        self._lag.labels().observe(lag_s)

    def cached_ratios(self) -> dict[tuple[str, str], float]:
        """The share of prompt tokens that came from a node's cache, by deployment and node."""
        counted = self._tokens.values()
        return {
            (deployment, node): counted.get((deployment, node, "cached"), 0.0) / prompt
            for (deployment, node, kind), prompt in counted.items()
            if kind == "prompt" and prompt
        }

    @property
    def registry(self) -> CollectorRegistry:
        return self._registry

    def register(self, collector: Collector) -> None:
        """Export another collector's metrics too."""
        self._registry.register(collector)
        self._others.append(collector)

    def collect(self) -> Iterator[Metric]:
        for one in self._families:
            yield one.collect()

    def render(self) -> bytes:
        return "".join(self.write()).encode()

    def write(self) -> Iterator[str]:
        """The text, piece by piece: for many deployments it takes long, and other code needs the
        loop."""
        for family in self._families:
            yield from family.write()
        for collector in self._others:
            for metric in _collect(collector):
                yield "" if metric is None else generate_latest(_One(metric)).decode()


class SlowCollector(Collector):
    """A collector that reads much."""

    def collect_in_turns(self) -> Iterator[Metric | None]:
        """Yields None at each point at which other code may run."""
        raise NotImplementedError

    def collect(self) -> Iterator[Metric]:
        return (metric for metric in self.collect_in_turns() if metric is not None)


def _collect(collector: Collector) -> Iterator[Metric | None]:
    if isinstance(collector, SlowCollector):
        return collector.collect_in_turns()
    return iter(collector.collect())


async def join_in_turns(pieces: Iterator[str]) -> bytes:
    """Join the pieces; for a thousand busy deployments that takes a second on a busy machine."""
    written, until = [], time.perf_counter() + _TURN_S
    for piece in pieces:
        written.append(piece)
        if time.perf_counter() >= until:
            await asyncio.sleep(0)
            until = time.perf_counter() + _TURN_S
    return "".join(written).encode()


class _One(Collector):
    """One metric as a collector."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


def _counter(name: str, *labels: str) -> CounterFamily:
    return CounterFamily(f"casedesk_{name}", _HELP[name], labels)


def _histogram(name: str, bounds: Sequence[float], *labels: str) -> HistogramFamily:
    return HistogramFamily(f"casedesk_{name}", _HELP[name], labels, bounds)
