"""What a micro benchmark is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Case", "Work", "nothing"]


def nothing() -> None:
    """For work that needs nothing made anew."""


@dataclass(frozen=True, slots=True)
class Work:
    """``run`` is one pass, timed; it is given what ``make`` made for it before the clock ran.

    ``operations`` are how many operations a pass does. ``check`` is given what ``run`` returned
    and raises AssertionError unless the work was done as claimed.
    """

    run: Callable[[Any], Any]
    check: Callable[[Any], None]
    operations: int = 1
    make: Callable[[], Any] = nothing


@dataclass(frozen=True, slots=True)
class Case:
    """``name`` is that of the module measured; ``operation`` says what one operation is."""

    name: str
    operation: str
    prepare: Callable[[], Work]
