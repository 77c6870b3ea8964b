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
    "cli/test_main.py": "cli/__init__ cli/demo daemon/demo",
    "daemon/test_run.py": "daemon/watchdog",
    "dialects/anthropic/test_request.py": "dialects/anthropic/messages dialects/anthropic/tools",
    "dialects/gemini/test_counts.py": "dialects/openai/counting",
    "dialects/gemini/test_endings.py": "dialects/core/reply",
    "dialects/openai/test_chunks.py": "dialects/core/calls",
    "dialects/pairs/anthropic_openai/test_reply.py": (
        "dialects/anthropic/forms dialects/anthropic/writer"
    ),
    "dialects/pairs/anthropic_openai/test_request.py": (
        "dialects/anthropic/media dialects/openai/builder dialects/openai/messages"
        " dialects/pairs/anthropic_openai/fields dialects/pairs/anthropic_openai/messages"
        " dialects/pairs/anthropic_openai/tools"
    ),
    "dialects/pairs/gemini_anthropic/test_request.py": (
        "dialects/anthropic/builder dialects/pairs/gemini_anthropic/fields"
        " dialects/pairs/gemini_anthropic/messages"
    ),
    "dialects/pairs/gemini_openai/test_reply.py": (
        "dialects/gemini/candidate dialects/gemini/writer dialects/openai/reader"
    ),
    "dialects/pairs/gemini_openai/test_request.py": (
        "dialects/gemini/blocks dialects/gemini/config dialects/gemini/contents"
        " dialects/gemini/request dialects/gemini/tools dialects/pairs/gemini_openai/fields"
        " dialects/pairs/gemini_openai/messages"
    ),
    "dialects/pairs/responses_openai/test_request.py": "dialects/pairs/responses_openai/messages",
    "dialects/schema/test_checks.py": "dialects/schema/gemini dialects/schema/ordering",
    "dialects/test_recordings.py": "dialects/core/contract",
    "engines/test_registry.py": "engines/inquiries engines/reading engines/spec",
    "relay/test_relay.py": "relay/node_side relay/parting relay/passing relay/progress",
    "server/test_app.py": "relay/delivery relay/whole server/handler server/public",
    "server/test_client.py": "server/stalls",
    "server/test_failover.py": "upstream/lease upstream/slots",
    "server/test_halfclosed.py": "server/hangups",
    "server/test_own_replies.py": "relay/request",
    "server/test_runtime.py": "daemon/reload",
    "simulator/test_answer.py": "simulator/anthropic simulator/gemini simulator/openai",
    "simulator/test_app.py": "simulator/routes simulator/script",
    "surfaces/test_model_lists.py": "surfaces/anthropic surfaces/gemini surfaces/openai",
    "surfaces/test_paths.py": (
        "surfaces/gemini_paths surfaces/request_target surfaces/unserved_paths"
    ),
    "test_snapshot.py": "terms",
    "upstream/test_judging.py": "upstream/error_bodies",
    "upstream/test_metadata.py": "upstream/look_schedule",
    "upstream/test_probes.py": "upstream/side_requests",
}

#: Goes down with the list.
MOST_ELSEWHERE = 67

MODULES = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py")
)
CODE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
#: What is a process of its own: no test imports it.
STARTED = {"__main__": "tests/cli/command.py"}
PLACED = [(module, test) for test, modules in ELSEWHERE.items() for module in modules.split()]


def says_nothing(module: str) -> bool:
    """Whether the module is the ``__init__`` of a package, or has only names and fields, and no
    code that a test of its own could run."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    return not any(isinstance(one, CODE) for one in ast.walk(tree))


def mirror(module: str) -> Path:
    path = TESTS / module
    return path.with_name(f"test_{path.name}.py")


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
    assert not says_nothing("cli/__init__")
    assert not says_nothing("terms")
