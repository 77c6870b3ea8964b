"""The commands that a document shows, for tests that run them."""

from __future__ import annotations

import re

from tests.systemd.machine import ROOT

__all__ = ["find_block", "find_blocks"]


def find_blocks(document: str, language: str) -> list[str]:
    """All blocks of that language, in order."""
    text = (ROOT / document).read_text()
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def find_block(document: str, words: str, language: str = "sh") -> str:
    """The one block that contains these words."""
    (found,) = [one for one in find_blocks(document, language) if words in one]
    return found
