"""The allowed lengths of modules, functions and classes, kept from growing unnoticed."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median

PACKAGE = Path(__file__).parent.parent / "casedesk_proxy"
MODULES = sorted(PACKAGE.rglob("*.py"))

MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 70
MAX_MEDIAN_FUNCTION_LINES = 10


def function_lengths(source: str) -> dict[str, int]:
    """The lines of each function, without its decorators and its docstring."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            docstring = 0
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docstring = (first.end_lineno or first.lineno) - first.lineno + 1
            length = (node.end_lineno or node.lineno) - node.lineno + 1 - docstring
            found[f"{node.name}:{node.lineno}"] = length
    return found


def test_modules_are_short() -> None:
    long = {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        if len(path.read_text().splitlines()) > MAX_MODULE_LINES
    }
    assert long == set()


def test_functions_are_short() -> None:
    lengths = {
        f"{path.relative_to(PACKAGE)}:{name}": length
        for path in MODULES
        for name, length in function_lengths(path.read_text()).items()
    }
    long = {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES}
    assert long == {}


def test_most_functions_are_short() -> None:
    lengths = [length for path in MODULES for length in function_lengths(path.read_text()).values()]
    assert median(lengths) < MAX_MEDIAN_FUNCTION_LINES


def test_a_long_function_is_seen() -> None:
    body = "\n".join("    x = 1" for _ in range(MAX_FUNCTION_LINES))
    (length,) = function_lengths(f'def f():\n    """One.\n    Two."""\n{body}\n').values()
    assert length == MAX_FUNCTION_LINES + 1
