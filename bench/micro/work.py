"""The definition of a micro benchmark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Case", "Work", "nothing"]


def nothing() -> None:
    """For work that needs no new objects."""


@dataclass(frozen=True, slots=True)
class Work:
    """``run`` is one pass, timed; it gets what ``make`` made for it before the clock ran.

    ``operations`` is the number of operations in a pass. ``check`` gets the result of ``run`` and
    raises AssertionError unless the work was done as claimed.
    """

    run: Callable[[Any], Any]
    check: Callable[[Any], None]
    operations: int = 1
    make: Callable[[], Any] = nothing


@dataclass(frozen=True, slots=True)
class Case:
    """``name`` is that of the measured module; ``operation`` describes one operation."""

    name: str
    operation: str
    prepare: Callable[[], Work]
