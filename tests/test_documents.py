"""What the documents name is there: files, folders, links between them, targets of make."""

from __future__ import annotations

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
        and not one.startswith("bench/out")
        and not any(mark in one for mark in _PLACEHOLDERS)
    ]  # fmt: skip
    assert named == [], "files that are not there"
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(_TARGET.findall(text)) - targets == set(), "no such target of make"
