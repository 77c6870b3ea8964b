"""Raw query strings: the credential is found and cut out; every other byte stays as it came.

A pair is what stands between two ``&``. Its name is compared percent-decoded, so that no
spelling of ``key`` (``%6Bey=…``) brings a client's credential to a node or into a log.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = ["cut_key", "find_key", "read_pairs", "scrub_target"]

#: Names whose values never reach a log: Google's credential, what other services call theirs,
#: and the id in an upload URL, which is the permission itself (Gemini Files API).
_SECRET = frozenset({"key", "api_key", "apikey", "access_token", "token", "upload_id"})
_NAME = re.compile(r"[?&]([^?&=]*)=")


def find_key(query: str) -> str | None:
    """The first non-empty value of ``key``, percent-decoded; ``+`` is a plus, as in base64.

    Bytes that are not UTF-8 become lone surrogates, as in the rest of a raw target.
    """
    if not _may_hold_key(query):
        return None
    for pair in query.split("&"):
        name, equals, value = pair.partition("=")
        if equals and value and _is_key(name):
            return unquote(value, errors="surrogateescape")
    return None


def cut_key(query: str) -> str:
    """The query without its ``key=…`` pairs; order, duplicates and all other bytes kept."""
    if not _may_hold_key(query):
        return query
    return "&".join(pair for pair in query.split("&") if not _is_key_pair(pair))


def read_pairs(query: str) -> list[tuple[str, str]]:
    """Names and values as an HTML form means them: percent-decoded, ``+`` a blank."""
    pairs = []
    for pair in query.split("&"):
        name, equals, value = pair.replace("+", " ").partition("=")
        if name or equals:
            pairs.append((unquote(name), unquote(value)))
    return pairs


def scrub_target(target: str) -> str:
    """A request target as it may stand in a log: the values of credentials become ``***``.

    More is scrubbed than is read as a credential: what follows a second ``?``, any letter case.
    """
    pieces = []
    done = 0
    for match in _NAME.finditer(target):
        if match.start() >= done and unquote(match[1]).strip().lower() in _SECRET:
            pieces += [target[done : match.end()], "***"]
            end = target.find("&", match.end())
            done = end if end >= 0 else len(target)
    return "".join([*pieces, target[done:]]) if pieces else target


def _may_hold_key(query: str) -> bool:
    return "key=" in query or ("%" in query and "=" in query)


def _is_key_pair(pair: str) -> bool:
    name, equals, _ = pair.partition("=")
    return bool(equals) and _is_key(name)


def _is_key(name: str) -> bool:
    return name == "key" or ("%" in name and unquote(name) == "key")
