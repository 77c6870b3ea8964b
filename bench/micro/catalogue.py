"""All micro benchmarks, by the modules that hold them.

Every module is imported by itself: another tree may lack what one of them measures. A tree that has
cases of its own is measured with those, since a case follows the names of the code around it; the
cases of two trees belong together by what an operation is.
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
    """From now on a tree's own cases are loaded, and this one's where it has none."""
    cases.__path__.insert(0, str(tree / "bench" / "micro" / "cases"))


def load(module: str) -> tuple[Case, ...]:
    """Its cases. Raises whatever the tree that is measured makes of the import."""
    found: tuple[Case, ...] = import_module(f"{cases.__name__}.{module}").CASES
    return found
