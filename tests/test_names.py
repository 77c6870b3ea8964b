"""Rules for names: a class name means one thing, a number's name has its unit, and the words are
those of the field. docs/glossary.md lists them."""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.fixtures.table import table

PACKAGE = Path(__file__).parent.parent / "casedesk_proxy"
GLOSSARY = PACKAGE.parent / "docs" / "glossary.md"

MODULES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text())
    for path in sorted(PACKAGE.rglob("*.py"))
}

#: Names of modules that say nothing about what is in them.
EMPTY_NAMES = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}

#: A module's number is a quantity, and its name ends with the unit.
UNITS = (
    "S|MS|TICKS|BYTES|CHARS|WORDS|TOKENS|BITS|PAGES|DEPTH|SIZE|FACTOR|WEIGHT|RATIO|SHARE|THRESHOLD"
    "|PORT|DESCRIPTOR|BYTE|STATUS|COUNT|TIMES|PER_[A-Z]+"
)
#: Or it bounds a number of things, which are named in the plural.
WELL_NAMED = re.compile(rf"_?(?:(?:[A-Z0-9]+_)*(?:{UNITS})|(?:MAX|MIN)_(?:[A-Z0-9]+_)*[A-Z0-9]+S)")

#: A float whose name ends with one of these is a time, and its name ends with the unit: ``wait_s``.
TIMES = {
    "age", "cooldown", "delay", "elapsed", "gather", "grace", "idle", "interval", "lag", "pause",
    "patience", "period", "stall", "timeout", "wait", "window", "within",
}  # fmt: skip
#: What a client writes to the simulator, as it writes it.
SPELLED_OUT = {"simulator/script.py head_delay", "simulator/script.py pause"}

#: Names that say nothing, and one that says something else: a signal is an operating system's.
UNCLEAR = {
    "arr", "buf", "cb", "cnt", "elem", "fn", "foo", "idx", "obj", "ret", "res", "signal", "stuff",
    "temp", "tmp", "val",
}  # fmt: skip
#: Words of ours for which the field has better ones.
OUR_WORDS = {
    "adopt", "beat", "blame", "handed", "heart", "modern", "praise", "pulse", "settle", "tell",
    "told", "welcome", "wish", "yield_place",
}  # fmt: skip


def public_classes() -> dict[str, list[str]]:
    found = defaultdict(list)
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(module)
    return found


def is_number(node: ast.expr | None) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    if isinstance(node, ast.UnaryOp):
        return is_number(node.operand)
    return isinstance(node, ast.BinOp) and is_number(node.left) and is_number(node.right)


def numbers(tree: ast.Module) -> Iterator[str]:
    """The names of a module's numbers."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign):
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.Assign) and isinstance(names := node.targets[0], ast.Tuple):
            assert isinstance(node.value, ast.Tuple)
            pairs = list(zip(names.elts, node.value.elts, strict=True))
        elif isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        else:
            continue
        for name, value in pairs:
            if isinstance(name, ast.Name) and is_number(value):
                yield name.id


def identifiers(tree: ast.Module) -> Iterator[str]:
    """What a module defines: its functions, classes, parameters, variables and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


@functools.cache
def settings() -> set[str]:
    """The names of the configuration's settings. Code that carries one may keep its name."""
    return {
        node.target.id
        for module, tree in MODULES.items()
        if module.startswith("config/")
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "setting"
    }


def times(tree: ast.Module) -> set[str]:
    """The names of parameters and attributes that are times and do not say in which unit."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            name, annotation = node.arg, node.annotation
        elif isinstance(node, ast.AnnAssign):
            name, annotation = ast.unparse(node.target).rpartition(".")[2], node.annotation
        else:
            continue
        if annotation is not None and "float" in ast.unparse(annotation).split(" | "):
            found |= {name} if name.rpartition("_")[2] in TIMES else set()
    return found


def our_words(tree: ast.Module) -> set[str]:
    words = set()
    for name in identifiers(tree):
        parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")
        words |= {word for word in OUR_WORDS if f"_{word}_" in f"_{parts}_"}
    return words


def test_a_class_name_stands_for_one_thing() -> None:
    double = {name: where for name, where in public_classes().items() if len(where) > 1}
    assert double == {}


@table("module", MODULES)
def test_names(module: str) -> None:
    assert module.removesuffix(".py").rsplit("/", 1)[-1] not in EMPTY_NAMES
    assert [name for name in numbers(MODULES[module]) if not WELL_NAMED.fullmatch(name)] == []
    assert our_words(MODULES[module]) == set()
    assert {name for name in identifiers(MODULES[module]) if name.strip("_") in UNCLEAR} == set()
    unclear = times(MODULES[module]) - settings()
    assert {name for name in unclear if f"{module} {name}" not in SPELLED_OUT} == set()


@table(
    ("name", "good"),
    [
        ("_TIMEOUT_S", True),
        ("MAX_HEAD_BYTES", True),
        ("_MAX_NODES", True),
        ("MIN_FULL_S", True),
        ("MAX_HEAD", False),
        ("PATIENCE", False),
        ("_MOST", False),
        ("LONGEST", False),
    ],
)
def test_the_rule_for_numbers(name: str, good: bool) -> None:
    assert bool(WELL_NAMED.fullmatch(name)) is good


def test_the_rule_for_times() -> None:
    tree = ast.parse(
        "def f(wait: float, wait_s: float, period: Period): self._age: float | None = 1"
    )
    assert times(tree) == {"wait", "_age"}


def test_the_rule_for_words() -> None:
    tree = ast.parse("def tell(told): self._heart = 1\nclass AdoptedPulse: ...\nbeaten = 1")
    assert our_words(tree) == {"tell", "told", "heart", "pulse"}


def test_the_glossary_names_what_exists() -> None:
    """The third column has the paths of modules and packages."""
    rows = [line for line in GLOSSARY.read_text().splitlines() if line.startswith("| ")][1:]
    assert rows
    for row in rows:
        for path in re.findall(r"`([a-z_/]+(?:\.py)?)`", row.split("|")[3]):
            assert (PACKAGE / path).exists(), row
