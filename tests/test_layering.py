"""The map of the code, enforced: imports point downwards, and pure code does no I/O."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

from tests.fixtures.table import table

PACKAGE = Path(__file__).parent.parent / "casedesk_proxy"

LAYERS = {
    "terms": 0, "wording": 0, "errors": 0, "jsonio": 0,
    "engines": 1, "config": 1, "wire": 1, "filing": 1,
    "fastpath": 2, "surfaces": 2, "auth": 2, "catalog": 2, "dialects": 2, "usage": 2, "pools": 2,
    "limits": 2,
    "openapi": 3, "snapshot": 3, "planning": 4, "replying": 4, "fastpath.admission_cache": 4,
    "fastpath.fibers": 5, "fastpath.cork": 5, "upstream": 5, "store": 5, "planners": 5,
    "instances": 5, "turns": 5,
    "relay": 6, "telemetry": 6, "ledger": 6, "keystore": 6, "files": 6,
    "swagger": 6,
    "admin": 7, "console": 7, "server": 8, "simulator": 8,
    "interrupts": 9, "daemon": 9, "cli": 9, "__main__": 10,
}  # fmt: skip
PURE = {name for name, layer in LAYERS.items() if layer <= 4}
SIBLINGS = {"surfaces", "auth", "catalog", "dialects", "usage", "pools", "limits"}
IMPURE = {
    "aiohttp", "asyncio", "concurrent", "http.client", "http.server", "io", "logging",
    "multiprocessing", "os",
    "pathlib", "random", "secrets", "selectors", "shutil", "signal", "socket", "ssl",
    "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "uvloop",
}  # fmt: skip
PURE_CALLS = {"open", "print", "input"}

MODULES = sorted(PACKAGE.rglob("*.py"))


def place(path: Path) -> str:
    """The name of a module in LAYERS, see `on_map`."""
    return on_map(".".join(path.relative_to(PACKAGE).with_suffix("").parts))


def on_map(module: str) -> str:
    """``package.module`` if LAYERS has it besides its package, otherwise the package, or the
    module's own name at the top."""
    parts = module.split(".")
    apart = ".".join(parts[:2])
    return apart if apart in LAYERS else parts[0]


def imported(tree: ast.AST) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.append(node.module or "")
            if node.module and node.module.split(".")[0] == "casedesk_proxy":
                names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def complaints(source: str, here: str) -> list[str]:
    tree = ast.parse(source)
    found = []
    for name in imported(tree):
        if name.startswith("casedesk_proxy."):
            there = on_map(name.removeprefix("casedesk_proxy."))
            if there == "__version__":
                continue
            if there not in LAYERS:
                found.append(f"{name} is not on the map")
            elif there != here and LAYERS[there] > LAYERS[here]:
                found.append(f"imports upwards: {name}")
            elif there != here and {here, there} <= SIBLINGS:
                found.append(f"imports a sibling: {name}")
        elif here in PURE and any(name == bad or name.startswith(bad + ".") for bad in IMPURE):
            found.append(f"does I/O below the line: {name}")
    if here in PURE:
        for node in ast.walk(tree):
            if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
                found.append(f"awaits below the line: line {node.lineno}")
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in PURE_CALLS
            ):
                found.append(f"calls {node.func.id} below the line: line {node.lineno}")
    return found


@table("path", MODULES)
def test_module_keeps_to_its_layer(path: Path) -> None:
    here = place(path)
    if here == "__init__":
        here = "terms"
    assert here in LAYERS, f"{path} is not on the map"
    assert complaints(path.read_text(), here) == []


@table(
    ("source", "here", "wanted"),
    [
        ("import casedesk_proxy.server.app", "upstream", "imports upwards"),
        ("from casedesk_proxy.surfaces import paths", "auth", "imports a sibling"),
        ("import asyncio", "wire", "does I/O below the line"),
        ("from os import path", "planning", "does I/O below the line"),
        ("async def f(): ...", "pools", "awaits below the line"),
        ("open('x')", "config", "calls open"),
        ("import casedesk_proxy.elsewhere", "cli", "is not on the map"),
        ("import casedesk_proxy.fastpath.fibers", "dialects", "imports upwards"),
        ("from casedesk_proxy.fastpath import fibers", "dialects", "imports upwards"),
    ],
)
def test_guard_bites(source: str, here: str, wanted: str) -> None:
    assert any(wanted in complaint for complaint in complaints(source, here))


#: The floors of dialects/: node_errors below core below schema below the protocols below the pairs.
#: Rooms of one floor do not know each other.
FLOORS = {
    "node_errors": 0, "core": 1, "schema": 2,
    "gemini": 3, "anthropic": 3, "openai": 3, "responses": 3,
    "pairs": 4, "registry": 5,
}  # fmt: skip


def dialects_room(module: str) -> str | None:
    """A sub-package of dialects, or one pair, such as ``pairs.gemini_openai``; None for other
    modules."""
    head, _, rest = module.removeprefix("casedesk_proxy.").partition(".")
    if head != "dialects" or not rest:
        return None
    floor, _, inner = rest.partition(".")
    return f"pairs.{inner.partition('.')[0]}" if floor == "pairs" and inner else floor


def dialects_complaints(source: str, here: str) -> list[str]:
    """``here``: see dialects_room."""
    floor = FLOORS[here.partition(".")[0]]
    found = []
    for name in imported(ast.parse(source)):
        there = dialects_room(name)
        if there is None or there in (here, "pairs"):
            continue
        if FLOORS[there.partition(".")[0]] >= floor:
            found.append(f"imports upwards or across: {name}")
    return found


DIALECTS = sorted((PACKAGE / "dialects").rglob("*.py"))


@table("path", DIALECTS)
def test_dialects_keep_to_their_floor(path: Path) -> None:
    here = dialects_room(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    if here not in ("__init__", "pairs.__init__"):
        assert here is not None
        assert dialects_complaints(path.read_text(), here) == []


@table(
    ("source", "here"),
    [
        ("from casedesk_proxy.dialects.pairs.gemini_openai import count", "pairs.gemini_anthropic"),
        ("import casedesk_proxy.dialects.pairs.gemini_openai.fields", "pairs.anthropic_openai"),
        ("from casedesk_proxy.dialects.openai.reader import ChatReader", "anthropic"),
        ("from casedesk_proxy.dialects.gemini import writer", "core"),
        ("from casedesk_proxy.dialects.schema.checks import is_strict", "core"),
        ("from casedesk_proxy.dialects.registry import find_translations", "pairs.gemini_openai"),
    ],
)
def test_dialects_guard_bites(source: str, here: str) -> None:
    assert dialects_complaints(source, here)


def test_pairs_are_rooms_of_their_own() -> None:
    from_one = "casedesk_proxy.dialects.pairs.gemini_openai.fields"
    assert dialects_complaints(f"import {from_one}", "pairs.gemini_openai") == []
    # `from …pairs import gemini_openai` names no module: what is behind it is looked at, too.
    across = "from casedesk_proxy.dialects.pairs import gemini_openai"
    assert dialects_complaints(across, "pairs.gemini_anthropic")


def test_the_map_for_people_names_every_package() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    words = set(re.findall(r"\w+", (PACKAGE.parent / "docs/architecture.md").read_text()))
    assert folders - words == set()


def test_no_modules_import_each_other() -> None:
    """Neither directly nor by way of other modules, nor only for the type checker."""
    known = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in MODULES
    }
    left = {
        name: {one for one in imported(ast.parse(path.read_text())) if one in known} - {name}
        for name, path in known.items()
    }
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert left == {}, "these, or some of them, lead to each other"


def test_every_line_below_the_line_is_covered() -> None:
    """The Makefile lists the tests, and coverage's settings list the files."""
    root = PACKAGE.parent
    makefile = (root / "Makefile").read_text().replace("\\\n", "")
    listed = {
        name: set(re.findall(rf"^{name} := (.*)", makefile, re.MULTILINE)[0].split())
        for name in ("PURE", "PURE_TRICKS")
    }
    tricks = {path.stem for path in MODULES if path.parent.name == "fastpath"}
    impure = {name for name in tricks if on_map(f"fastpath.{name}") in LAYERS.keys() - PURE}
    assert listed["PURE"] == {name.partition(".")[0] for name in PURE} - {"fastpath"}
    assert listed["PURE_TRICKS"] == tricks - impure - {"__init__"}
    files = {f"{name}/*" if (PACKAGE / name).is_dir() else f"{name}.py" for name in listed["PURE"]}
    files |= {f"fastpath/{name}.py" for name in listed["PURE_TRICKS"]}
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["coverage"]["report"]
    assert set(settings["include"]) == {f"casedesk_proxy/{name}" for name in files}


def test_no_wait_forgets_a_cancel() -> None:
    """On Python 3.11 `asyncio.wait_for` returns as if nothing had happened if its task is cancelled
    right after its work is done; a loop that waits so then never ends, nor does the stop."""
    found = [str(path) for path in MODULES if "asyncio.wait_for(" in path.read_text("utf-8")]
    assert found == [], "write `async with asyncio.timeout(...)`"
