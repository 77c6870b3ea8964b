"""A child process that runs the benchmarks on one tree: its arguments are TREE CORE MODULE…

It exchanges lines of JSON. It first prints what it can run; then for every line with a name and a
number of passes it runs that batch and prints the time. It ends with its stdin.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.micro.catalogue import load, prefer_cases_of
from bench.micro.work import Case, Work

__all__ = ["main", "prepare", "run_batch"]


def main(tree: str, core: str, *modules: str) -> None:
    if core != "-":
        os.sched_setaffinity(0, {int(core)})
    # Before the entries of an editable install. The code that runs the cases is always beside this
    # file: `bench` is loaded already.
    sys.path.insert(0, tree)
    prefer_cases_of(Path(tree))
    works: dict[str, Work] = {}
    absent: dict[str, str] = {}
    operations: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for module in modules:
        for name, found in prepare(module):
            if isinstance(found, str):
                absent[name] = found
            else:
                case, works[name] = found
                operations[name], sizes[name] = case.operation, works[name].operations
    _assert_measures(tree)
    # As the daemon does, and so that a collection between batches has little to examine.
    gc.collect()
    gc.freeze()
    gc.disable()
    _tell({"operations": operations, "sizes": sizes, "absent": absent})
    for line in sys.stdin:
        wanted = json.loads(line)
        work = works[wanted["name"]]
        spent = run_batch(work, wanted["passes"])
        _tell({"ns": spent / wanted["passes"] / work.operations})


def prepare(module: str) -> Iterator[tuple[str, tuple[Case, Work] | str]]:
    """Each case of a module, ready and checked once; or why it cannot be run on this tree."""
    try:
        cases = load(module)
    except Exception as error:
        yield module, _describe(error)
        return
    for case in cases:
        try:
            work = case.prepare()
            run_batch(work, 1)
        except Exception as error:
            yield case.name, _describe(error)
        else:
            yield case.name, (case, work)


def run_batch(work: Work, passes: int) -> int:
    """CPU nanoseconds of so many passes, without making and checking.

    CPU time, not the clock's: other programs on the core do not count. Raises AssertionError if the
    work was not done.
    """
    run, made = work.run, [work.make() for _ in range(passes)]
    result: Any = None
    begun = time.thread_time_ns()
    for one in made:
        result = run(one)
    spent = time.thread_time_ns() - begun
    work.check(result)
    del made, result
    gc.collect()
    return spent


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _assert_measures(tree: str) -> None:
    package = sys.modules.get("casedesk_proxy")
    found = Path(str(getattr(package, "__file__", ""))).resolve()
    if package is not None and not found.is_relative_to(Path(tree).resolve()):
        raise SystemExit(f"measures {found} instead of {tree}")


def _tell(facts: dict[str, Any]) -> None:
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
