"""What became of the configuration: told on the status page, in the status line and in metrics."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Configured"]


@dataclass(slots=True)
class Configured:
    """Times are seconds since the epoch: ``loaded`` when the one in force was taken, ``tried``
    when a file was last read. ``refusal`` says why that file was not taken, "" when it was."""

    loaded: float
    tried: float
    refusal: str = ""

    def take(self, now: float) -> None:
        self.loaded = self.tried = now
        self.refusal = ""

    def refuse(self, now: float, reason: str) -> None:
        self.tried = now
        self.refusal = reason
