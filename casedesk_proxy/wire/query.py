"""Raw query strings: the credential is found and removed; every other byte is unchanged.

A pair is the text between two ``&``. Its name is compared percent-decoded, so that no spelling of
``key`` (``%6Bey=…``) brings a client's credential to a node or into a log.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = [
    "cut_key",
    "find_key",
    "is_number",
    "log_target",
    "read_number",
    "read_pairs",
    "scrub_target",
]

#: Every spelling of ``key`` that is percent-decoded once, and the mark after it.
_KEY = re.compile("(?:k|%6[bB])(?:e|%65)(?:y|%79)=")
#: The value of a parameter whose name contains one of these is never written to a log.
#: ``upload_id``: in an upload URL it is the permission itself (Gemini Files API). A value that is
#: hidden without need (a pageToken) is not missed in a log.
_SECRET = re.compile("key|token|auth|secret|pass|pwd|sig|bearer|credential|jwt|session|upload_?id")
#: A character as it is, or percent-encoded any number of times.
_SEPARATOR = "(?:[?&;/#]|%(?:25)*(?:3f|26|3b|2f|23))"
_EQUALS = "(?:=|%(?:25)*3d)"
_NAME = re.compile(
    f"{_SEPARATOR}((?:(?!{_SEPARATOR}|{_EQUALS})[^&])*){_EQUALS}", re.IGNORECASE | re.DOTALL
)
#: ``user:password@`` before a host: of an absolute target, of a URL in a value, at the beginning.
_USER = re.compile(
    "(^//|^(?![/?])|(?::|%(?:25)*3a)(?:/|%(?:25)*2f){2})"
    "(?:(?!%(?:25)*(?:2f|3f|23|26))[^/?#&])*(?:@|%(?:25)*40)",
    re.IGNORECASE | re.DOTALL,
)
#: A longer target is shortened to this in a log.
_MAX_SHOWN_CHARS = 2000
#: How many times a name is decoded; no server decodes a name that is encoded more often.
_MAX_DECODED_TIMES = 8


def find_key(query: str) -> str | None:
    """The first non-empty value of ``key``, percent-decoded; ``+`` is a plus, as in base64.

    Invalid UTF-8 becomes lone surrogates, as in the rest of a raw target.
    """
    if _KEY.search(query) is None:
        return None
    for pair in query.split("&"):
        found = _KEY.match(pair)
        if found is not None and found.end() < len(pair):
            return unquote(pair[found.end() :], errors="surrogateescape")
    return None


def cut_key(query: str) -> str:
    """The query without its ``key=…`` pairs; order, duplicates and all other bytes kept."""
    if _KEY.search(query) is None:
        return query
    return "&".join(pair for pair in query.split("&") if _KEY.match(pair) is None)


def is_number(text: str) -> bool:
    """Whether a parameter is a whole number of any size, in decimal digits."""
    return text.isascii() and text.isdigit()


def read_number(text: str, least: int, most: int) -> int | None:
    """The value of a parameter; None if it is not a whole number from ``least`` to ``most``."""
    digits = text.lstrip("0") or text[-1:]
    # Python refuses to read numbers of thousands of digits.
    if not is_number(text) or len(digits) > len(str(most)):
        return None
    return number if least <= (number := int(digits)) <= most else None


def read_pairs(query: str) -> list[tuple[str, str]]:
    """Names and values, read as an HTML form's: percent-decoded, ``+`` is a blank."""
    pairs = []
    for pair in query.split("&"):
        name, equals, value = pair.replace("+", " ").partition("=")
        if name or equals:
            pairs.append((unquote(name), unquote(value)))
    return pairs


def scrub_target(target: str) -> str:
    """A request target for a log: the values of credentials become ``***``.

    More is hidden than `find_key` reads as a credential, since clients misspell it: ``;key=``,
    ``$key``, ``key[]``, a second ``?``, any letter case, names that are encoded more than once, and
    ``user:password@`` before a host. A value ends only at an ``&``.
    """
    if len(target) > _MAX_SHOWN_CHARS:
        target = f"{target[:_MAX_SHOWN_CHARS]}…"
    encoded = "%" in target
    if encoded or "@" in target:
        target = _USER.sub(r"\1***@", target)
    if not encoded and not _SECRET.search(target.lower()):
        return target
    pieces = []
    done = 0
    for match in _NAME.finditer(target):
        if match.start() >= done and _is_secret(match[1]):
            pieces += [target[done : match.end()], "***"]
            end = target.find("&", match.end())
            done = end if end >= 0 else len(target)
    return "".join([*pieces, target[done:]]) if pieces else target


def _is_secret(name: str) -> bool:
    for _ in range(_MAX_DECODED_TIMES):
        decoded = unquote(name)
        if decoded == name:
            break
        name = decoded
    return _SECRET.search(name.lower()) is not None


def log_target(target: str) -> str:
    """A target for a log: without secrets, in valid UTF-8."""
    return scrub_target(target).encode("utf-8", "backslashreplace").decode()
