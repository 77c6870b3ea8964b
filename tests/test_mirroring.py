"""Tests lie where their module does: ``a/b.py`` is tested by ``tests/a/test_b.py``.

A module that has no such file is named here, below the one that tests it. The list only becomes
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
    "config/test_schema.py": "config/engines",
    "daemon/test_process.py": "daemon/run daemon/watchdog telemetry/config_status",
    "dialects/anthropic/test_request.py": (
        "dialects/anthropic/blocks dialects/anthropic/messages dialects/anthropic/tools"
    ),
    "dialects/gemini/test_endings.py": "dialects/core/reply",
    "dialects/node_errors/test_limits.py": "dialects/node_errors/words",
    "dialects/openai/test_chunks.py": "dialects/core/calls dialects/core/events",
    "dialects/pairs/test_anthropic_openai_reply.py": (
        "dialects/anthropic/forms dialects/anthropic/writer dialects/core/ids"
        " dialects/core/pending dialects/pairs/anthropic_openai/reply"
    ),
    "dialects/pairs/test_anthropic_openai_request.py": (
        "dialects/anthropic/media dialects/openai/builder dialects/openai/messages"
        " dialects/pairs/anthropic_openai/fields dialects/pairs/anthropic_openai/messages"
        " dialects/pairs/anthropic_openai/request dialects/pairs/anthropic_openai/tools"
        " dialects/schema/formats"
    ),
    "dialects/pairs/test_counts.py": (
        "dialects/core/counting dialects/gemini/counts dialects/openai/counting"
    ),
    "dialects/pairs/test_gemini_anthropic_reply.py": "dialects/pairs/gemini_anthropic/reply",
    "dialects/pairs/test_gemini_anthropic_request.py": (
        "dialects/anthropic/builder dialects/pairs/gemini_anthropic/fields"
        " dialects/pairs/gemini_anthropic/messages dialects/pairs/gemini_anthropic/request"
    ),
    "dialects/pairs/test_gemini_openai_embeddings.py": "dialects/pairs/gemini_openai/embeddings",
    "dialects/pairs/test_gemini_openai_reply.py": (
        "dialects/gemini/candidate dialects/gemini/writer dialects/openai/finish"
        " dialects/openai/reader dialects/pairs/gemini_openai/reply"
    ),
    "dialects/pairs/test_gemini_openai_request.py": (
        "dialects/gemini/blocks dialects/gemini/config dialects/gemini/contents"
        " dialects/gemini/request dialects/gemini/tools dialects/pairs/gemini_openai/fields"
        " dialects/pairs/gemini_openai/messages dialects/pairs/gemini_openai/request"
    ),
    "dialects/pairs/test_lenient_requests.py": "dialects/gemini/protojson",
    "dialects/pairs/test_responses_openai_request.py": (
        "dialects/pairs/responses_openai/messages dialects/pairs/responses_openai/request"
    ),
    "dialects/schema/test_schemas.py": (
        "dialects/schema/checks dialects/schema/gemini dialects/schema/ordering"
    ),
    "dialects/test_recordings.py": "dialects/core/contract",
    "engines/test_profile.py": "engines/parts",
    "engines/test_registry.py": "engines/inquiries engines/reading engines/spec",
    "relay/test_relay.py": "relay/node_side relay/parting relay/passing relay/progress",
    "replying/test_machine.py": "replying/commands",
    "server/test_bounds.py": "relay/room",
    "server/test_client.py": "server/limits server/stalls",
    "server/test_gateway.py": (
        "relay/delivery relay/whole server/app server/handler server/public server/results"
    ),
    "server/test_failover.py": "upstream/lease upstream/slots",
    "server/test_heartbeat.py": "relay/prelude",
    "server/test_halfclosed.py": "server/hangups",
    "server/test_browsers.py": "server/hosts",
    "server/test_own_replies.py": "relay/request",
    "server/test_refusing_nodes.py": "upstream/error_bodies upstream/judging",
    "server/test_runtime.py": "daemon/reload",
    "simulator/test_endings.py": "simulator/playback",
    "simulator/test_node.py": "simulator/app simulator/routes simulator/script",
    "simulator/test_streams.py": (
        "simulator/answer simulator/anthropic simulator/gemini simulator/openai"
    ),
    "surfaces/test_model_lists.py": "surfaces/anthropic surfaces/gemini surfaces/openai",
    "surfaces/test_paths.py": (
        "surfaces/gemini_paths surfaces/request_target surfaces/unserved_paths"
    ),
    "test_snapshot.py": "terms",
    "upstream/test_metadata.py": "upstream/look_schedule",
    "upstream/test_probes.py": "upstream/side_requests",
}

#: Goes down with the list.
MOST_ELSEWHERE = 101

MODULES = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py")
)
#: What is a process of its own: no test imports it.
STARTED = {"__main__": "tests/cli/command.py"}
PLACED = [(module, test) for test, modules in ELSEWHERE.items() for module in modules.split()]


def says_nothing(module: str) -> bool:
    """Whether it is the ``__init__`` of a package, without code of its own."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    codes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return module.endswith("__init__") and not any(isinstance(one, codes) for one in tree.body)


def mirror(module: str) -> Path:
    path = TESTS / module
    return path.with_name(f"test_{path.name}.py")


@cache
def imported(path: Path) -> frozenset[Path]:
    """The files of the package and of the tests that a file imports, wherever in it, or names in a
    string, those beside a package's ``__init__`` by their own name: commands are imported when they
    are asked for."""
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
    """Whether the test imports the module, or what it imports does."""
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
    assert not says_nothing("cli/__init__")
