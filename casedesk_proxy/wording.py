"""The texts of errors: messages about a node, bounded texts, times, and the part that a log may
contain."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

__all__ = [
    "MAX_MESSAGE_CHARS",
    "MAX_PATH_CHARS",
    "AboutNode",
    "Wording",
    "bounded",
    "is_harmless",
    "quoted",
    "reason_of",
    "spell_time",
    "text_of",
    "with_remedy",
]

#: Characters of a message for clients.
MAX_MESSAGE_CHARS = 8192
#: Characters of a path: names in a body are the client's own, and may be as long as the body.
MAX_PATH_CHARS = 200
#: Characters of a client's or a node's text that a message quotes, with the mark of its cut.
_MAX_QUOTED_CHARS = 81
#: Characters of a message in a log line.
_MAX_REASON_CHARS = 160
#: Characters of a message that are read for the log line.
_MAX_READ_CHARS = 1000
#: From the first opening quote to the last closing one: a quoted text may contain quotes itself.
_QUOTED = re.compile(r"(?<![\w'])['\"].*['\"](?!\w)")

#: What Python does not call printable, but people write: blanks of all widths, and the marks that
#: join or part the letters of Persian and Indian scripts, and the parts of emoji.
_HARMLESS = frozenset(
    "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200c\u200d\u202f"
    "\u205f\u3000"
)
#: The blocks of emoji, to which each year adds some that a Python does not know yet.
_FIRST_EMOJI, _LAST_EMOJI = "\U0001f000", "\U0001fbff"


@dataclass(frozen=True, slots=True)
class AboutNode:
    """A message about a node: what it ``did``, or the state of one of ``its`` parts. The client
    does not know which node it is: `ProxyError.with_node` adds the name."""

    did: str
    its: str = ""

    def __str__(self) -> str:
        """The message if the node is named before."""
        return f"its {self.its} {self.did}" if self.its else self.did

    def text(self, node: str = "") -> str:
        who = f"node {node}" if node else "the node"
        return f"{who}'s {self.its} {self.did}" if self.its else f"{who} {self.did}"


Wording = str | AboutNode


def with_remedy(wording: Wording, remedy: str) -> Wording:
    said = wording if isinstance(wording, str) else wording.did
    if not remedy or "; " in said:
        return wording
    said = f"{said}; {remedy}"
    return said if isinstance(wording, str) else replace(wording, did=said)


def quoted(text: str) -> str:
    """What a client or a node wrote, as a message may quote it: short, and valid in JSON."""
    short = bounded(text, _MAX_QUOTED_CHARS)
    return f"'{short.encode('utf-8', 'replace').decode()}'"


def text_of(wording: Wording, node: str = "") -> str:
    text = wording if isinstance(wording, str) else wording.text(node)
    return bounded(text, MAX_MESSAGE_CHARS)


def bounded(text: str, most: int) -> str:
    """At most so many characters, ending in an ellipsis if some are missing."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def spell_time(when: float) -> str:
    """``when``, in seconds since 1970, to the minute."""
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M} UTC"


def is_harmless(mark: str) -> bool:
    """Whether a character that others wrote neither controls a terminal nor turns the direction of
    a line."""
    return mark.isprintable() or mark in _HARMLESS or _FIRST_EMOJI <= mark <= _LAST_EMOJI


def reason_of(message: str, said: str = "") -> str:
    """The message for a log: its first clause, short, without quoted texts, which are a client's or
    a node's. ``said``: what the node said, or where it is."""
    clause = _first_clause(message)
    if said:
        clause = f"{clause}: {_first_clause(said)}"
    return bounded(clause, _MAX_REASON_CHARS)


def _first_clause(text: str) -> str:
    if len(text) > _MAX_READ_CHARS:
        # A quoted text may end only after the cut.
        text = f"{text[:_MAX_READ_CHARS]}'"
    return _QUOTED.sub("…", " ".join(text.split())).partition("; ")[0]
