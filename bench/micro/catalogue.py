"""All micro benchmarks, by the modules that hold them.

Every module is imported by itself: another tree may lack what one of them measures.
"""

from __future__ import annotations

from importlib import import_module

from bench.micro.work import Case

__all__ = ["MODULES", "load"]

MODULES = (
    "sse", "jsonarray", "chunked", "http1", "headers", "dialects", "tap", "paths", "credentials",
    "planning", "admission", "relaying", "telling", "unary",
)  # fmt: skip


def load(module: str) -> tuple[Case, ...]:
    """Its cases. Raises whatever the tree that is measured makes of the import."""
    cases: tuple[Case, ...] = import_module(f"bench.micro.cases.{module}").CASES
    return cases
