"""Tests are at the place of their module: ``a/b.py`` is tested by ``tests/a/test_b.py``.

A module without such a file is named here, below the one that tests it. The list only becomes
shorter.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from tests.fixtures.table import table

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "casedesk_proxy"
TESTS = ROOT / "tests"

#: By test file, below tests/: the modules that it tests beside its own, or in place of it.
ELSEWHERE: dict[str, str] = {
    "admin/test_pages.py": "admin/gauges",
    "dialects/anthropic/test_request.py": "dialects/anthropic/messages",
    "dialects/pairs/anthropic_openai/test_reply.py": (
        "dialects/anthropic/forms dialects/anthropic/writer"
    ),
    "dialects/pairs/anthropic_openai/test_request.py": (
        "dialects/pairs/anthropic_openai/fields dialects/pairs/anthropic_openai/messages"
        " dialects/pairs/anthropic_openai/tools"
    ),
    "dialects/pairs/gemini_anthropic/test_request.py": (
        "dialects/pairs/gemini_anthropic/fields dialects/pairs/gemini_anthropic/messages"
    ),
    "dialects/pairs/gemini_openai/test_reply.py": "dialects/gemini/writer dialects/openai/reader",
    "dialects/pairs/gemini_openai/test_request.py": (
        "dialects/pairs/gemini_openai/fields dialects/pairs/gemini_openai/messages"
    ),
    "dialects/pairs/responses_openai/test_request.py": "dialects/pairs/responses_openai/messages",
    "dialects/test_recordings.py": "dialects/core/contract",
    "server/test_app.py": "relay/delivery relay/whole server/handler server/public",
    "server/test_failover.py": "upstream/slots",
    "server/test_own_replies.py": "relay/request",
    "server/test_runtime.py": "daemon/reload",
    "test_snapshot.py": "terms",
}

#: Goes down with the list.
MOST_ELSEWHERE = 23

MODULES = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py")
)
CODE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
FIELD = (ast.Assign, ast.AnnAssign, ast.Expr)
#: What is a process of its own: no test imports it.
STARTED = {"__main__": "tests/cli/command.py"}
PLACED = [(module, test) for test, modules in ELSEWHERE.items() for module in modules.split()]


def says_nothing(module: str) -> bool:
    """Whether the module has only names, fields and interfaces, and no code that a test of its own
    could run."""
    return not has_code(ast.parse((PACKAGE / f"{module}.py").read_text()))


def has_code(node: ast.AST) -> bool:
    if isinstance(node, ast.ClassDef) and "Protocol" in {
        ast.unparse(base).partition("[")[0] for base in node.bases
    }:
        return False
    if isinstance(node, ast.FunctionDef) and node.name == "__init__":
        # Another statement than a field's value is code.
        return not all(isinstance(one, FIELD) for one in node.body)
    return isinstance(node, CODE) or any(map(has_code, ast.iter_child_nodes(node)))


def mirror(module: str) -> Path:
    """The code of a package itself is tested by the file of its name."""
    path = TESTS / module
    name = path.parent.name if path.name == "__init__" else path.name
    return path.with_name(f"test_{name}.py")


@cache
def imported(path: Path) -> frozenset[Path]:
    """The files of the package and of the tests that a file imports anywhere or names in a string.
    Commands are imported on demand, so an ``__init__`` names the modules of its own package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value]
            beside = node.value.replace("-", "_")
            if path.name == "__init__.py" and beside.isidentifier():
                found.add(path.with_name(f"{beside}.py"))
        for name in names:
            if name.partition(".")[0] in (PACKAGE.name, TESTS.name):
                place = ROOT.joinpath(*name.split("."))
                found |= {place.with_suffix(".py"), place / "__init__.py"}
    return frozenset(one for one in found if one.is_file())


def reaches(test: Path, module: Path) -> bool:
    """Whether the test imports the module, directly or by way of other modules."""
    seen: set[Path] = set()
    new = {test}
    while new:
        seen |= new
        new = {found for path in new for found in imported(path)} - seen
    return module in seen


def test_each_module_has_its_test_file() -> None:
    named = {module for module, _ in PLACED}
    without = [
        module
        for module in MODULES
        if not says_nothing(module)
        and not mirror(module).exists()
        and module not in named | STARTED.keys()
    ]
    assert without == [], "write tests/<its folder>/test_<its name>.py"


@table(("module", "test"), PLACED, ids=lambda value: value)
def test_the_others_are_tested_elsewhere(module: str, test: str) -> None:
    assert module in MODULES, "it is gone: take it off the list"
    assert not mirror(module).exists(), "it has a file of its own: take it off the list"
    assert (TESTS / test).is_file()
    assert reaches(TESTS / test, PACKAGE / f"{module}.py"), f"{test} does not import it"


def test_a_process_is_started() -> None:
    for test in STARTED.values():
        assert '"-m", "casedesk_proxy"' in (ROOT / test).read_text()


def test_the_list_only_becomes_shorter() -> None:
    assert len(PLACED) == len(dict(PLACED)), "each module once"
    assert len(PLACED) == MOST_ELSEWHERE, "set it to the length of the list, never to more"


def test_the_guard_bites() -> None:
    assert reaches(TESTS / "wire" / "test_sse.py", PACKAGE / "wire" / "sse.py")
    assert not reaches(TESTS / "wire" / "test_sse.py", PACKAGE / "server" / "app.py")
    assert says_nothing("wire/__init__")
    assert says_nothing("replying/commands")
    assert says_nothing("dialects/core/reply"), "interfaces, and fields that __init__ sets"
    assert not says_nothing("cli/__init__")
    assert not says_nothing("terms")
