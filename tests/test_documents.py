"""Everything that the documents name exists: files, folders, links between them, targets of
make."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/*.md"))
    # It tells of what was measured once.
    if path.name != "NOTES.md"
)
#: Stands for any.
_PLACEHOLDERS = ("NAME", "/a/")
#: A path of the repository, as the text has it. What holds a * or {} names several.
_PLACE = re.compile(
    r"`((?:casedesk_proxy|tests|bench|docs|config|systemd|packages)/[\w./-]*(?:/|\.[a-z]+)|[\w-]+\.md)`"
)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)")
_ANCHOR = re.compile(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_TARGET = re.compile(r"`make ([a-z][\w-]*)")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_is_there(document: str) -> None:
    path = ROOT / document
    text = path.read_text()
    linked = [one for one in _LINK.findall(text) if not (path.parent / one).exists()]
    assert linked == [], "links that lead nowhere"
    named = [
        one for one in _PLACE.findall(text)
        if not any((base / one).exists() for base in (ROOT, path.parent, ROOT / "casedesk_proxy"))
        # What is made by a command.
        and not one.startswith(("bench/out", "bench/build"))
        and not any(mark in one for mark in _PLACEHOLDERS)
    ]  # fmt: skip
    assert named == [], "files that are not there"
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(_TARGET.findall(text)) - targets == set(), "no such target of make"


def headings(path: Path) -> set[str]:
    """The anchors of the headings, as links name them: lower case, hyphens instead of spaces, no
    other characters."""
    found = _HEADING.findall(_BLOCK.sub("", path.read_text()))
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in found}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_link_into_a_document_leads_to_a_heading(document: str) -> None:
    path = ROOT / document
    lost = [
        f"{target}#{anchor}"
        for target, anchor in _ANCHOR.findall(path.read_text())
        if anchor not in headings(path.parent / target if target else path)
    ]
    assert lost == []


def test_the_index_lists_every_page() -> None:
    listed = re.findall(r"^([\w./-]+)$", (ROOT / "docs/index.md").read_text(), re.MULTILINE)
    there = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert there - set(listed) == set()
    assert [one for one in listed if not (ROOT / "docs" / f"{one}.md").exists()] == []


def codes_in(source: str) -> set[str]:
    """The codes of errors that a module makes: ``code="…"`` and ``feature_code="…"`` of a call, and
    the argument of ``code``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg in ("code", "feature_code"):
            found.append(node.value)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "code":
            either = isinstance(node.value, ast.IfExp)
            found += [node.value.body, node.value.orelse] if either else [node.value]
    return {
        one.value for one in found if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }


def test_every_code_of_an_error_is_explained_and_no_other() -> None:
    made: set[str] = set()
    for path in (ROOT / "casedesk_proxy").rglob("*.py"):
        made |= codes_in(path.read_text())
    listed = re.findall(r"^\[(\w+)\]$", (ROOT / "docs/error-causes.toml").read_text(), re.MULTILINE)
    assert listed == sorted(set(listed)), "in order, each once"
    assert {"made, not listed": made - set(listed), "listed, not made": set(listed) - made} == {
        "made, not listed": set(),
        "listed, not made": set(),
    }
