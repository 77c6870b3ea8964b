"""All micro benchmarks, by the modules that contain them.

Every module is imported separately: another tree may lack what one of them measures. A tree with
cases of its own is measured with those, since a case uses the names of the code around it; cases of
two trees are matched by their operation.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from bench.micro import cases
from bench.micro.work import Case

__all__ = ["MODULES", "load", "prefer_cases_of"]

MODULES = (
    "sse", "jsonarray", "chunked", "http1", "headers", "dialects", "tap", "paths", "credentials",
    "planning", "admission", "relaying", "telling", "unary",
)  # fmt: skip


def prefer_cases_of(tree: Path) -> None:
    """From now on load a tree's own cases, and this tree's if it has none."""
    cases.__path__.insert(0, str(tree / "bench" / "micro" / "cases"))


def load(module: str) -> tuple[Case, ...]:
    """Its cases. Raises whatever the import raises in the measured tree."""
    found: tuple[Case, ...] = import_module(f"{cases.__name__}.{module}").CASES
    return found
