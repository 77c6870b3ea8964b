"""Whether the last reload succeeded: for the status page, the status line and the metrics."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ConfigStatus"]


@dataclass(slots=True)
class ConfigStatus:
    """Times are seconds since the epoch: ``loaded`` when the active configuration was applied,
    ``tried`` when a file was last read. ``refusal`` is why that file was rejected, "" if it was
    accepted."""

    loaded: float
    tried: float
    refusal: str = ""

    def accept(self, now: float) -> None:
        self.loaded = self.tried = now
        self.refusal = ""

    def reject(self, now: float, reason: str) -> None:
        self.tried = now
        self.refusal = reason
