"""What is wrong with a configuration: for its operator, never for a client."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Complaint", "ConfigError"]


@dataclass(frozen=True, slots=True)
class Complaint:
    """One fault of a configuration. ``line`` and ``column`` start at 1; 0 where unknown.

    ``path`` is the key path, e.g. ``nodes.gpu0.url``; ``remedy`` says what to do.
    """

    path: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.file or 'config'}:{self.line}:{self.column}" if self.line else self.file
        text = f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"
        return f"{text}; {self.remedy}" if self.remedy else text


class ConfigError(Exception):
    """All complaints about a configuration, in file order."""

    def __init__(self, complaints: list[Complaint]) -> None:
        super().__init__("\n".join(str(c) for c in complaints))
        self.complaints = complaints
