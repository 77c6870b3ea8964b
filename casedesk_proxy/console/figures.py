"""Counts of ended exchanges since the process began: by node and model, and the latest failures
with their reasons."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from casedesk_proxy.replying.record import ExchangeRecord, Terminal

__all__ = ["Figures", "ModelFigures"]

_MAX_FAILURES = 200
#: How many models at nodes are counted; further ones are not counted separately.
_MAX_MODELS = 2000
#: Ends that are not failures.
_FINE = frozenset({Terminal.COMPLETED, Terminal.CLIENT_GONE, Terminal.CANCELLED})
_FAILED_STATUS = 400
#: Lower statuses are faults of the request.
_NODE_FAILED_STATUS = 500


class ModelFigures:
    """The counts of one model at one node."""

    __slots__ = ("cached", "failures", "output", "prompt", "requests", "streamed_s")

    def __init__(self) -> None:
        self.requests = self.failures = self.prompt = self.cached = self.output = 0
        self.streamed_s = 0.0

    @property
    def tokens_per_second(self) -> float | None:
        """The rate while replies streamed."""
        return round(self.output / self.streamed_s, 1) if self.streamed_s > 0 else None

    @property
    def cached_share(self) -> float | None:
        """The share of all prompts, by tokens."""
        return round(self.cached / self.prompt, 3) if self.prompt else None


class Figures:
    """``count`` is a sink. ``changed`` differs after each failure."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.models: dict[tuple[str, str], ModelFigures] = {}
        self._failures: deque[dict[str, Any]] = deque(maxlen=_MAX_FAILURES)
        self.changed = 0

    def count(self, record: ExchangeRecord) -> None:
        fine = record.terminal in _FINE
        if record.node:
            self._count_model(record, fine)
        if not fine or record.status >= _FAILED_STATUS:
            self._failures.append(self._describe(record))
            self.changed += 1

    def _count_model(self, record: ExchangeRecord, fine: bool) -> None:
        place = record.node, record.model
        figures = self.models.get(place)
        if figures is None:
            if len(self.models) >= _MAX_MODELS:
                return
            figures = self.models[place] = ModelFigures()
        usage = record.usage
        figures.requests += 1
        figures.failures += not fine or record.status >= _NODE_FAILED_STATUS
        figures.prompt += usage.prompt or 0
        figures.cached += usage.cached or 0
        if usage.output and record.first_byte is not None and record.events > 1:
            figures.output += usage.output
            figures.streamed_s += max(record.ended - record.first_byte, 0.0)

    def _describe(self, record: ExchangeRecord) -> dict[str, Any]:
        return {
            "at": round(self._now(), 3),
            "id": record.request_id,
            "key": record.key,
            "deployment": record.deployment,
            "model": record.model or record.asked,
            "node": record.node,
            "status": record.status,
            "code": record.code,
            "reason": record.reason,
            "ending": record.terminal.value,
        }

    def failures(self, may_see: Callable[[str], bool], most: int) -> list[dict[str, Any]]:
        """The latest first."""
        seen = (one for one in reversed(self._failures) if may_see(one["key"]))
        return [one for one, _ in zip(seen, range(most), strict=False)]
