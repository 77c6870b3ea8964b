"""Which test proves which row of the mapping, in a form that fails when the proof is removed.

A list of proofs is text. ``@ file::test`` names a test below ``tests/``, and the lines under it are
the rows that it proves: each with a piece of the test that is only about this row, or with none if
the whole test is about it:

    @ dialects/node_errors/test_mapping.py::test_status
    502 | (502,

The piece must occur in the test, in its parameters, or in what it uses of its module; in the
test's name it would prove nothing. A constant whose items are tested elsewhere may be named in
place of a test, see engines/known.py. So a removed case, a renamed test and a moved file are all
noticed.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

__all__ = ["Row", "check", "rows_of"]

TESTS = Path(__file__).parent.parent


class Row(NamedTuple):
    name: str
    test: str
    piece: str


def rows_of(*lists: str) -> list[pytest.param]:
    """The rows as cases for ``parametrize``, each with its own name."""
    found: dict[str, Row] = {}
    for line in "\n".join(lists).splitlines():
        text = line.strip()
        if text.startswith("@"):
            test = text[1:].strip()
        elif text:
            name, _, piece = (part.strip() for part in text.partition(" | "))
            assert name not in found, f"{name} is there twice"
            found[name] = Row(name, test, piece)
    return [pytest.param(row, id=row.name) for row in found.values()]


def check(row: Row) -> None:
    """Raises AssertionError if the row's test does not exist or is not about the field."""
    file, _, name = row.test.partition("::")
    path = TESTS / file
    assert path.is_file(), f"{row.name}: there is no {file}"
    parts = _parts(path)
    assert name in parts, f"{row.name}: there is no {row.test}"
    assert row.piece not in name or not row.piece, f"{row.name}: {row.piece!r} proves nothing"
    assert row.piece in _with_uses(parts, name), f"{row.name}: {row.test} has no {row.piece!r}"


@cache
def _parts(path: Path) -> dict[str, str]:
    """The source of each function and constant of a module, by name."""
    source = path.read_text()
    lines = source.splitlines()
    parts = {}
    for node in ast.parse(source).body:
        for name in _names(node):
            first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
            parts[name] = "\n".join(lines[first - 1 : node.end_lineno])
    return parts


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [one.id for one in targets if isinstance(one, ast.Name)]


def _with_uses(parts: dict[str, str], name: str) -> str:
    """The source of a function and of all parts of its module that it uses, directly or not."""
    seen, todo = {name: parts[name]}, [name]
    while todo:
        for one in ast.walk(ast.parse(seen[todo.pop()])):
            if isinstance(one, ast.Name) and one.id in parts and one.id not in seen:
                seen[one.id] = parts[one.id]
                todo.append(one.id)
    return "\n".join(seen.values())
