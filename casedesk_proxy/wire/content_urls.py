"""Whether a text in place of content is a URL: of the web, or of a file."""

from __future__ import annotations

import re

__all__ = ["JUDGED_CHARS", "NOT_FETCHED", "is_address"]

NOT_FETCHED = (
    "URLs are not passed on, because the node would fetch them from inside the operator's"
    " network; send the content itself, or ask the operator to allow its host"
    " (fetch_urls, nodes_fetch_urls)"
)

#: Characters that programs that read URLs remove (WHATWG's, and those of Python's ``strip``),
#: however many there are.
_LEAD = re.compile(r"[\s\x00-\x20]*+")
#: One letter is a drive of Windows.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{1,30})\s*:")
#: Characters that are ignored in a URL, and could hide its scheme.
_IGNORED = str.maketrans("", "", "\t\r\n")
#: How many characters of a text are examined; its beginning is enough.
JUDGED_CHARS = 80


def is_address(text: str) -> bool:
    """Whether the text is a URL, rather than content such as base64 or a ``data:`` URL."""
    lead = _LEAD.match(text)
    start = lead.end() if lead is not None else 0
    found = _SCHEME.match(text[start : start + JUDGED_CHARS].translate(_IGNORED))
    return found is not None and found[1].lower() != "data"
