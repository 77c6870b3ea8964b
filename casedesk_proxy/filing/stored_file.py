"""A file that a client has uploaded: its metadata and its names.

A file has one id, which every surface writes in its own way; so a file that came through one
surface can be named on another. Gemini's clients may choose a name as well.
"""

from __future__ import annotations

import re

from casedesk_proxy.terms import Dialect, record

__all__ = ["ID_CHARS", "StoredFile", "make_id", "may_be_chosen", "name_file", "read_id"]

#: Characters of an id, no more than Google's ids may have. The first are the time of its creation
#: in milliseconds, so that ids are in the order of time; the rest are 77 random bits.
ID_CHARS = 24
_TIME_CHARS = 9
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
#: How many characters of a name are examined: more than any URI of ours has.
_MAX_NAME_CHARS = 2048

_ID = f"[0-9a-z]{{{ID_CHARS}}}"
#: The names that Google lets a client choose.
_CHOSEN = re.compile(r"[0-9a-z](?:[0-9a-z-]{0,38}[0-9a-z])?")
#: ``files/ID`` for Google, ``file_ID`` for Anthropic, ``file-ID`` for OpenAI. A URI has it in its
#: last segment, whatever its host and its query.
_NAME = re.compile(
    rf"(?:[^?#]*/)?(?:file[_-](?P<id>{_ID})|(?P<chosen>{_CHOSEN.pattern}))(?::download)?"
    r"(?:[?#].*)?",
    re.DOTALL,
)
_FORMS = {
    Dialect.GEMINI: "files/{}",
    Dialect.ANTHROPIC: "file_{}",
    Dialect.OPENAI: "file-{}",
    Dialect.RESPONSES: "file-{}",
    Dialect.OLLAMA: "file-{}",
}


@record
class StoredFile:
    """``owner``: the name of the key that uploaded it. ``name``: the client's name of it, only for
    people. ``sha256`` in hex. ``made`` and ``expires`` in seconds since 1970; None: never.
    ``chosen``: the id that a Gemini client chose, by which its owner may name it too; usually "".
    ``purpose``: OpenAI's term for its use, "" if it came through another surface. ``surface``: the
    one that it came through."""

    id: str
    owner: str
    name: str
    mime_type: str
    size: int
    sha256: str
    made: float
    expires: float | None
    chosen: str = ""
    purpose: str = ""
    surface: str = Dialect.GEMINI

    def is_over(self, now: float) -> bool:
        """Whether it has expired."""
        return self.expires is not None and self.expires <= now


def make_id(now: float, chance: int) -> str:
    """``chance``: a random number of at least 80 bits."""
    return _digits(int(now * 1000), _TIME_CHARS) + _digits(chance, ID_CHARS - _TIME_CHARS)


def _digits(number: int, most: int) -> str:
    """The number's last digits, the highest first."""
    found = []
    for _ in range(most):
        number, digit = divmod(number, len(_DIGITS))
        found.append(_DIGITS[digit])
    return "".join(reversed(found))


def name_file(surface: Dialect, ident: str) -> str:
    """A file's id in the surface's form."""
    return _FORMS[surface].format(ident)


def read_id(text: str) -> str | None:
    """The id, generated or chosen, in a file's name or URI, in any surface's form and on any host.
    None: it cannot be one of ours, so that no lookup is needed."""
    found = _NAME.fullmatch(text) if len(text) <= _MAX_NAME_CHARS else None
    return None if found is None else found["id"] or found["chosen"]


def may_be_chosen(ident: str) -> bool:
    """Whether a client may choose this id for a file."""
    return _CHOSEN.fullmatch(ident) is not None
