"""All micro benchmarks, by the modules that hold them.

Every module is imported by itself: another tree may lack what one of them measures. A tree that has
cases of its own is measured with those, since a case follows the names of the code around it; the
cases of two trees belong together by what an operation is.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from bench.micro.work import Case

__all__ = ["MODULES", "load"]

MODULES = (
    "sse", "jsonarray", "chunked", "http1", "headers", "dialects", "tap", "paths", "credentials",
    "planning", "admission", "relaying", "telling", "unary",
)  # fmt: skip


def load(module: str, tree: Path | None = None) -> tuple[Case, ...]:
    """The cases of a tree, or this one's where it has none. Raises whatever the tree that is
    measured makes of the import."""
    own = tree / "bench" / "micro" / "cases" / f"{module}.py" if tree is not None else None
    if own is None or not own.exists():
        ours: tuple[Case, ...] = import_module(f"bench.micro.cases.{module}").CASES
        return ours
    spec = spec_from_file_location(f"bench.micro.cases.{module}", own)
    assert spec is not None
    assert spec.loader is not None
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    theirs: tuple[Case, ...] = loaded.CASES
    return theirs
