"""Each test can fail: it asserts, or calls a helper that does, or says in its docstring what shows
that it failed."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.fixtures.sources import TESTS, find_modules

_Function = ast.FunctionDef | ast.AsyncFunctionDef
#: They fail where nothing is raised, nothing comes, or an SDK does not like what it is given.
_ASSERTING = ("raises", "warns", "wait_for", "until", "model_validate", "check", "expect")


@pytest.mark.timeout(240)  # All tests are parsed: a minute where the machine has much else to do.
def test_each_can_fail() -> None:
    modules = [path for path in find_modules() if path.name.startswith("test_")]
    assert len(modules) > 100
    assert [name for path in modules for name in _blunt(path)] == []


def test_a_blunt_one_is_found(tmp_path: Path) -> None:
    path = tmp_path / "test_x.py"
    path.write_text(
        "from tests.fixtures.effort import examples\n"
        "def test_a(): assert True\n"
        "def test_b(): print(len('x'))\n"
        "def test_c(): helper()\n"
        "def helper(): assert True\n"
        "def test_d():\n    '''Nothing is raised.'''\n"
        "def test_e(): examples(3)\n"
    )
    assert _blunt(path) == ["test_x.py::test_b", "test_x.py::test_e"]


def _blunt(path: Path) -> list[str]:
    functions = _functions(path)
    tests = [one for name, one in functions.items() if name.startswith("test_")]
    return [
        f"{path.name}::{one.name}"
        for one in tests
        if not _asserts(one, path, frozenset()) and ast.get_docstring(one) is None
    ]


def _asserts(function: _Function, path: Path, seen: frozenset[str]) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert | ast.Raise):
            return True
        if isinstance(node, ast.Call):
            called = node.func
            name = getattr(called, "attr", None) or getattr(called, "id", "")
            if name.startswith(_ASSERTING):
                return True
            if name and name not in seen and _helper_asserts(name, path, seen | {name}):
                return True
    return False


def _helper_asserts(name: str, path: Path, seen: frozenset[str]) -> bool:
    if (helper := _functions(path).get(name)) is not None:
        return _asserts(helper, path, seen)
    source = _imported(path).get(name)
    return source is not None and _helper_asserts(name, source, seen)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def _functions(path: Path) -> dict[str, _Function]:
    """The functions of the module, and the methods of its classes."""
    body = _tree(path).body
    classes = [one for one in body if isinstance(one, ast.ClassDef)]
    found = [*body, *(one for each in classes for one in each.body)]
    return {one.name: one for one in found if isinstance(one, _Function)}


@cache
def _imported(path: Path) -> dict[str, Path]:
    """The names that come from another module of the tests, and that module."""
    found = {}
    for node in _tree(path).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests."):
            source = TESTS.parent / f"{(node.module or '').replace('.', '/')}.py"
            if source.exists():
                found |= dict.fromkeys((alias.name for alias in node.names), source)
    return found
