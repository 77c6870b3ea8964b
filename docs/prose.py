"""Refuses constructions that a reader has to read twice: `make lint`.

The rules are in prose-rules.toml. They apply to every message in the package's source
(`docs/messages.py`), to its docstrings and comments, to the docstrings of the tests, and to the
prose of the documents, without code.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from messages import find_comments, find_docstrings, find_texts

__all__ = ["RULES", "Rule", "find_faults"]

ROOT = Path(__file__).parents[1]
#: Old entries stay unchanged.
_DATED = frozenset({"CHANGELOG.md", "NOTES.md"})
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_CODE_IN_SOURCE = re.compile(r"``[^`]*``|`[^`]*`")
_CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`|\]\([^)]*\)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rule:
    refuse: re.Pattern[str]
    instead: str
    bad: str
    good: str
    only: str = ""
    #: Whether a rule for docstrings also applies to comments: those of a constant need no sentence.
    comments: bool = True


RULES = [
    Rule(**{**one, "refuse": re.compile(one["refuse"])})
    for one in tomllib.loads((Path(__file__).parent / "prose-rules.toml").read_text())["rule"]
]


def find_faults() -> list[str]:
    """One line for each fault, with its place."""
    return [
        *_check("messages", _list_messages()),
        *_check("docstrings", _list_docstrings()),
        *_check("docstrings", _list_docstrings_of_tests()),
        *_check("comments", _list_comments()),
        *_check("documents", _list_lines()),
    ]


def _check(kind: str, texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    # Readers of docstrings know the field: only rules for docstrings are applied to them.
    if kind in ("docstrings", "comments"):
        rules = [rule for rule in RULES if rule.only in ("everywhere", "docstrings")]
        rules = [rule for rule in rules if rule.comments or kind == "docstrings"]
    else:
        rules = [rule for rule in RULES if rule.only in ("", "everywhere", kind)]
    for place, text in texts:
        for rule in rules:
            if (found := rule.refuse.search(text)) is not None:
                yield f"{place}: {found[0]!r}: write {rule.instead}"


def _list_messages() -> Iterator[tuple[str, str]]:
    for one in find_texts():
        if not one.module.startswith("simulator/"):
            yield f"casedesk_proxy/{one.module}:{one.line}", one.text


def _list_docstrings() -> Iterator[tuple[str, str]]:
    for one in find_docstrings():
        yield f"casedesk_proxy/{one.module}:{one.line}", _CODE_IN_SOURCE.sub("`…`", one.text)


def _list_docstrings_of_tests() -> Iterator[tuple[str, str]]:
    for folder, folders, names in os.walk(ROOT / "tests"):
        # npm's packages are thousands of folders.
        folders[:] = sorted(set(folders) - {"node_modules"})
        for path in sorted(Path(folder) / name for name in names if name.endswith(".py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, _DOCUMENTED) and (text := ast.get_docstring(node)):
                    place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"
                    yield place, _CODE_IN_SOURCE.sub("`…`", " ".join(text.split()))


def _list_comments() -> Iterator[tuple[str, str]]:
    for one in find_comments():
        yield f"casedesk_proxy/{one.module}:{one.line}", _CODE_IN_SOURCE.sub("`…`", one.text)


def _list_lines() -> Iterator[tuple[str, str]]:
    for path in sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))):
        if path.name in _DATED:
            continue
        # As many lines as before, so that places are right.
        prose = _CODE.sub(lambda found: "\n" * found[0].count("\n"), path.read_text())
        for number, line in enumerate(prose.splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{number}", line


if __name__ == "__main__":
    faults = find_faults()
    print("\n".join(faults), end="\n" if faults else "")
    sys.exit(bool(faults))
