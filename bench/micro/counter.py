"""A child process that counts what the cases of one tree execute: its arguments are TREE LIBRARY
CASE….

``LIBRARY`` is engine/counted.c, compiled, for a process under valgrind, whose dumps then have the
processor's instructions; "-": Python's own are counted, and printed as JSON by case.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from bench.micro.catalogue import MODULES, load, prefer_cases_of
from bench.micro.work import Case, Work

__all__ = ["find_cases", "main"]

#: Passes before the one that counts: Python specialises its instructions while they are used.
_WARM_PASSES = 3


def main(tree: str, library: str, *names: str) -> None:
    sys.path.insert(0, tree)
    prefer_cases_of(Path(tree))
    told: dict[str, Any] = {}
    for name, case in find_cases(names).items():
        work = case.prepare()
        for _ in range(_WARM_PASSES):
            work.check(work.run(work.make()))
        gc.collect()
        gc.disable()
        counted = _count_bytecodes(work) if library == "-" else _count_machine(work, library, name)
        told[name] = {"operations": work.operations, "counted": counted}
    print(json.dumps(told), flush=True)


def find_cases(names: tuple[str, ...]) -> dict[str, Case]:
    """By name, those that the tree has."""
    found: dict[str, Case] = {}
    for module in MODULES:
        try:
            found |= {case.name: case for case in load(module) if case.name in names}
        except Exception as error:
            print(f"{module}: {type(error).__name__}: {error}", file=sys.stderr)
    return found


def _count_bytecodes(work: Work) -> int:
    """Instructions of Python in the thread that runs the work, without C functions."""
    count, made = 0, work.make()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    sys.settrace(trace)
    result = work.run(made)
    sys.settrace(None)
    work.check(result)
    return count


def _count_machine(work: Work, library: str, name: str) -> None:
    counting, made = ctypes.CDLL(library), work.make()
    counting.start()
    result = work.run(made)
    counting.stop(name.encode())
    work.check(result)


if __name__ == "__main__":
    main(*sys.argv[1:])
