"""Use since the process began: for metrics and the status page.

The ledger is the complete record; this needs no file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from casedesk_proxy.replying.record import ExchangeRecord

__all__ = ["NO_KEY", "OTHERS", "KeyUse", "Used"]

#: Names of keys come from the configuration, so there are few, but their number has no limit.
_MAX_KEYS = 200
#: In place of a key's name, which cannot begin so.
NO_KEY = "(none)"
OTHERS = "(others)"


class Used:
    """What one key has used."""

    __slots__ = ("cached", "exchanges", "output", "prompt")

    def __init__(self) -> None:
        self.exchanges = self.prompt = self.cached = self.output = 0


class KeyUse(Collector):
    """``count`` is a sink. ``by_key`` has the first 200 names, then OTHERS; NO_KEY: requests to
    open deployments, and those that were refused before the key was known."""

    def __init__(self, is_shown: Callable[[], bool]) -> None:
        """``is_shown``: whether metrics show it."""
        self._is_shown = is_shown
        self.by_key: dict[str, Used] = {}

    def count(self, record: ExchangeRecord) -> None:
        used = self.by_key.get(record.key or NO_KEY) or self._find(record.key or NO_KEY)
        used.exchanges += 1
        usage = record.usage
        used.prompt += usage.prompt or 0
        used.cached += usage.cached or 0
        used.output += usage.output or 0

    def _find(self, name: str) -> Used:
        name = name if len(self.by_key) < _MAX_KEYS else OTHERS
        return self.by_key.setdefault(name, Used())

    def collect(self) -> Iterator[Metric]:
        if not self._is_shown():
            return
        exchanges = CounterMetricFamily(
            "casedesk_key_exchanges", "Requests by key.", labels=["key"]
        )
        tokens = CounterMetricFamily(
            "casedesk_key_tokens", "Tokens by key, as nodes counted them or as estimated.",
            labels=["key", "kind"],
        )  # fmt: skip
        for key, used in self.by_key.items():
            exchanges.add_metric([key], used.exchanges)
            for kind in ("prompt", "cached", "output"):
                tokens.add_metric([key, kind], getattr(used, kind))
        yield exchanges
        yield tokens
