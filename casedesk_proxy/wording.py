"""What an error says: messages about a node, bounded texts, and what of them a log may hold."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

__all__ = [
    "MAX_MESSAGE_CHARS",
    "MAX_PATH_CHARS",
    "AboutNode",
    "Wording",
    "bounded",
    "reason_of",
    "text_of",
    "with_remedy",
]

#: Characters of a message, as clients get it.
MAX_MESSAGE_CHARS = 8192
#: Characters of a path: names in a body are the client's own, and may be as long as the body.
MAX_PATH_CHARS = 200
#: Characters of a message that a log line shows.
_MAX_REASON_CHARS = 160
#: Characters of a message that are read for that.
_MAX_READ_CHARS = 1000
#: From the first opening quote to the last closing one: what is quoted may hold quotes itself.
_QUOTED = re.compile(r"(?<![\w'])['\"].*['\"](?!\w)")


@dataclass(frozen=True, slots=True)
class AboutNode:
    """A message about a node: what it ``did``, or what one of ``its`` parts is. Who reads a reply
    does not know whose it is: the name is added by `ProxyError.with_node`."""

    did: str
    its: str = ""

    def __str__(self) -> str:
        """Where the node is named before."""
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


def text_of(wording: Wording, node: str = "") -> str:
    text = wording if isinstance(wording, str) else wording.text(node)
    return bounded(text, MAX_MESSAGE_CHARS)


def bounded(text: str, most: int) -> str:
    """So many characters at most, the last of them an ellipsis where some are missing."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def reason_of(message: str, said: str = "") -> str:
    """The message as a log may hold it: its first clause, short, without what it quotes, since
    that is a client's text or a node's. ``said``: what the node said, or where it is."""
    clause = _first_clause(message)
    if said:
        clause = f"{clause}: {_first_clause(said)}"
    return bounded(clause, _MAX_REASON_CHARS)


def _first_clause(text: str) -> str:
    if len(text) > _MAX_READ_CHARS:
        # What is quoted there may end only behind the cut.
        text = f"{text[:_MAX_READ_CHARS]}'"
    return _QUOTED.sub("…", " ".join(text.split())).partition("; ")[0]
