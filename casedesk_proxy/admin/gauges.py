"""Metrics whose values are read at the moment of a scrape: nodes, live streams, the configuration's
age."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from casedesk_proxy import __version__
from casedesk_proxy.telemetry import log_output
from casedesk_proxy.telemetry.metrics import SlowCollector

if TYPE_CHECKING:
    from casedesk_proxy.admin.served import Served

__all__ = ["GaugeCollector"]


#: How many keys and deployments have gauges for their limits.
_MAX_LIMITED_NAMES = 200


class GaugeCollector(SlowCollector):
    """Registered once; reads all values from ``served`` at each scrape."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def collect_in_turns(self) -> Iterator[Metric | None]:
        yield _build()
        yield from self._streams()
        yield from self._nodes()
        yield from self._configuration()
        yield from self._state()
        yield from self._limits()
        yield self._cached()

    def _streams(self) -> Iterator[Metric | None]:
        served = self._served
        yield _gauge("streams", "Replies that are being relayed.", len(served.watch))
        yield _gauge("connections", "Open connections of clients.", served.connections)
        yield _gauge("draining", "1 while the service is stopping.", served.draining)
        # The totals of `metrics` change when an exchange ends; these two change during streams.
        events, sent = yield from served.watch.count_passed()
        yield CounterMetricFamily(
            "casedesk_relayed_events",
            "Pieces of replies relayed, including those of running streams.",
            served.metrics.events + events,
        )
        yield CounterMetricFamily(
            "casedesk_relayed_bytes",
            "Bytes sent to clients, including those of running streams.",
            served.metrics.sent + sent,
        )

        yield CounterMetricFamily(
            "casedesk_log_lines_dropped",
            "Log lines lost because the log's reader was too slow or the log could not be written.",
            log_output.dropped(),
        )

    def _cached(self) -> Metric:
        family = GaugeMetricFamily(
            "casedesk_prompt_cached_ratio",
            "Share of prompt tokens that the node had in its cache, since the start; with the"
            " deployment's policy.",
            labels=["deployment", "node", "policy"],
        )
        deployments = self._served.serving.snapshot.deployments
        for (name, node), ratio in self._served.metrics.cached_ratios().items():
            if (deployment := deployments.get(name)) is not None:
                family.add_metric([name, node, deployment.policy], ratio)
        return family

    def _nodes(self) -> Iterator[Metric]:
        now = asyncio.get_running_loop().time()
        healthy = _by_node(
            "node_healthy",
            "1 while requests go to the node; 0 from too many failures until a probe or a trial"
            " request succeeds.",
        )
        hung = _by_node("node_hung", "1 while the node answers no probe and sends nothing.")
        full = _by_node("node_full", "1 while the node holds as many requests as it may.")
        in_flight = _by_node("node_in_flight", "Requests at the node.")
        limit = _by_node(
            "node_limit",
            "Maximum concurrent requests at the node; absent if unlimited.",
        )
        for name, state in self._served.nodes.items():
            healthy.add_metric([name], state.is_healthy(now))
            hung.add_metric([name], state.hung)
            full.add_metric([name], state.is_full(now))
            in_flight.add_metric([name], state.in_flight)
            if state.capacity is not None:
                limit.add_metric([name], state.capacity)
        yield from (healthy, hung, full, in_flight, limit)
        depth = GaugeMetricFamily(
            "casedesk_queue_depth", "Requests that wait for a slot.", labels=["deployment"]
        )
        for name, waiting in self._served.waiting.items():
            depth.add_metric([name], waiting)
        yield depth

    def _configuration(self) -> Iterator[Metric]:
        configured = self._served.config_status
        yield _gauge(
            "config_refused",
            "1 while the configuration file has errors, so that the previous configuration"
            " stays active.",
            bool(configured.refusal),
        )  # fmt: skip
        yield _gauge(
            "config_loaded_timestamp_seconds",
            "When the active configuration was loaded, in seconds since 1970.",
            configured.loaded,
        )  # fmt: skip
        expiry = GaugeMetricFamily(
            "casedesk_certificate_expiry_timestamp_seconds",
            "When the certificate of server.tls that clients are shown expires, in seconds since"
            " 1970; absent without one.",
        )
        if (until := self._served.certificate_until) is not None:
            expiry.add_metric([], until)
        yield expiry

    def _state(self) -> Iterator[Metric]:
        store = self._served.store
        writable = GaugeMetricFamily(
            "casedesk_state_writable",
            "1 while the state file can be written; absent without a state file.",
        )
        if store is not None:
            writable.add_metric([], not store.fault)
        yield writable
        waiting, dropped, failures = 0, 0, 0
        if store is not None:
            waiting, dropped, failures = store.waiting, store.dropped, store.failures
        forwarder = self._served.forwarder
        yield _gauge(
            "ledger_rows_behind", "Rows of the ledger that have not reached its database yet.",
            0 if forwarder is None else forwarder.behind,
        )  # fmt: skip
        yield _gauge(
            "state_rows_waiting", "Rows that have not reached the state file yet.", waiting
        )
        yield CounterMetricFamily(
            "casedesk_state_rows_dropped",
            "Rows lost because too many waited for the state file, or because it refused them.",
            dropped,
        )
        yield CounterMetricFamily(
            "casedesk_state_failures", "Failed attempts to write the state file.", failures
        )

    def _limits(self) -> Iterator[Metric]:
        limiter, labels = self._served.limiter, ["kind", "name", "limit"]
        refused = CounterMetricFamily(
            "casedesk_limit_refusals", "Requests refused by a limit of a key or a deployment.",
            labels=labels,
        )  # fmt: skip
        warned = CounterMetricFamily(
            "casedesk_limit_warnings",
            "Requests admitted although a soft limit was exceeded.",
            labels=labels,
        )
        for family, counts in ((refused, limiter.refused), (warned, limiter.warned)):
            for which, count in counts.items():
                family.add_metric(which, count)
        used = GaugeMetricFamily(
            "casedesk_limit_used_ratio",
            "Fraction of a hard limit that is used; 1 means all of it.",
            labels=labels,
        )
        for one in limiter.list_all(_MAX_LIMITED_NAMES):
            if one.hard:
                used.add_metric([one.kind, one.name, one.limit.value], one.used / one.hard)
        yield from (refused, warned, used)


def _gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"casedesk_{name}", documentation, value)


def _by_node(name: str, documentation: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"casedesk_{name}", documentation, labels=["node"])


def _build() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "casedesk_build_info",
        "Always 1; its labels say which version runs.",
        labels=["version", "python"],
    )
    family.add_metric([__version__, platform.python_version()], 1)
    return family
