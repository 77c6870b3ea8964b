"""Counters and histograms for Prometheus, updated once per exchange and never per event.

Label sets are bounded: deployments and nodes are named in the configuration, surfaces, statuses
and terminal states are closed sets.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from casedesk_proxy.exchange.outcome import Outcome

__all__ = ["Metrics"]

#: Seconds; a first token takes between a cache hit and a cold model load.
_FIRST_BYTE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
#: Seconds; streams last from a word to hours.
_DURATION = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Metrics:
    """``count`` is a sink for outcomes; ``render`` the text exposition."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._exchanges = Counter(
            "casedesk_exchanges", "Exchanges by how they ended.",
            ["deployment", "surface", "status", "end"], registry=registry,
        )  # fmt: skip
        self._first_byte = Histogram(
            "casedesk_first_byte_seconds", "Request to first body byte.",
            ["deployment", "surface"], buckets=_FIRST_BYTE, registry=registry,
        )  # fmt: skip
        self._duration = Histogram(
            "casedesk_duration_seconds", "Request to the reply's end.",
            ["deployment", "surface"], buckets=_DURATION, registry=registry,
        )  # fmt: skip
        self._events = Counter(
            "casedesk_events", "Pieces relayed from nodes.", ["deployment", "node"],
            registry=registry,
        )  # fmt: skip
        self._bytes = Counter(
            "casedesk_bytes", "Body bytes from (in) and to (out) clients.",
            ["deployment", "direction"], registry=registry,
        )  # fmt: skip
        self._tokens = Counter(
            "casedesk_tokens", "Tokens as nodes told them.",
            ["deployment", "node", "kind"], registry=registry,
        )  # fmt: skip

    def count(self, outcome: Outcome) -> None:
        labels = (outcome.deployment, outcome.surface)
        self._exchanges.labels(*labels, outcome.status, outcome.terminal).inc()
        self._duration.labels(*labels).observe(outcome.ended - outcome.started)
        if outcome.first_byte is not None:
            self._first_byte.labels(*labels).observe(outcome.first_byte - outcome.started)
        self._bytes.labels(outcome.deployment, "in").inc(outcome.received)
        self._bytes.labels(outcome.deployment, "out").inc(outcome.sent)
        if outcome.node:
            self._count_node(outcome)

    def _count_node(self, outcome: Outcome) -> None:
        whose = (outcome.deployment, outcome.node)
        self._events.labels(*whose).inc(outcome.events)
        for kind, tokens in (("prompt", outcome.usage.prompt), ("output", outcome.usage.output)):
            if tokens:
                self._tokens.labels(*whose, kind).inc(tokens)

    def render(self) -> bytes:
        return generate_latest(self._registry)
