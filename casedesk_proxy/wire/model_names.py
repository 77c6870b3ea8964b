"""Model names as clients write them in paths and bodies, with the prefixes of collections and of
Vertex."""

from __future__ import annotations

import re

__all__ = ["is_wrapped", "plain_name"]

#: Prefixes of a model's own name. google-genai puts ``models/`` even before a name such as
#: ``publishers/google/models/x`` (3.6.1).
_WRAPPING = re.compile(
    r"(?:(?:models|projects/[^/]*/locations/[^/]*)(?:/|$))*"
    r"(?:publishers/([^/]*)/models(?:/|$))?(.*)",
    re.DOTALL,
)
_VERTEX = ("projects/", "publishers/", "models/projects/", "models/publishers/")


def plain_name(name: str) -> str:
    """A model's name without its prefixes.

    The publisher Google is removed: Vertex clients put it before every plain name. Any other
    publisher is the first half of a name such as ``meta/llama3.1:8b``.
    """
    match = _WRAPPING.fullmatch(name)
    assert match is not None, "the pattern takes any text"
    publisher, plain = match[1], match[2]
    return f"{publisher}/{plain}" if plain and publisher not in (None, "", "google") else plain


def is_wrapped(name: str) -> bool:
    """Whether the name has one of Vertex's forms."""
    return name.startswith(_VERTEX) and plain_name(name) not in ("", name)
