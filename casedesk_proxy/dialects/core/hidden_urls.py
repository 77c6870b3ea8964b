"""URLs in a field that comes again in its object, or in an object around it. The proxy reads the
last of several fields of a name, as nearly all nodes do. Some use the first (those with RapidJSON,
for example OpenVINO's), and programs in Go merge all. So a body in which a URL may be hidden is
read again, with each of its fields."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from casedesk_proxy import jsonio

__all__ = ["list_fields", "with_hidden"]

#: How the keys of fields with a URL end (see `addresses`); and such a key with a value that may be
#: a URL, or a list of them, rather than a schema or content.
_FIELDS = tuple(
    (key, re.compile(key + rb'[ \t\r\n]*+:[ \t\r\n]*+(?:"(?!data:)|\[)'))
    for key in (b'url"', b'ri"')
)
#: Other spellings of the letters of these names, and how they begin.
_ESCAPE = b"\\u00"
_LETTERS = tuple(
    (_ESCAPE + digits, letter)
    for digits, letter in (
        (b"75", b"u"),
        (b"72", b"r"),
        (b"6c", b"l"),
        (b"6C", b"l"),
        (b"69", b"i"),
    )
)


class _Repeating(dict[str, Any]):
    """An object that has a field more than once; ``fields`` are all of its fields."""

    __slots__ = ("fields",)

    def __init__(self, fields: list[tuple[str, Any]]) -> None:
        super().__init__(fields)
        self.fields = fields


def with_hidden(raw: bytes, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """``body``, which was parsed from ``raw``; if it lacks a field of ``raw`` for a URL, all that
    ``raw`` contains, for `list_fields`. Raises RecursionError.
    """
    written = _count_fields(_with_letters(raw) if _ESCAPE in raw else raw)
    if written == 0 or written == _count_read(body):
        return body
    whole: dict[str, Any] = json.loads(raw, object_pairs_hook=_read_object)
    return whole


def list_fields(holder: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """The fields of an object, also those that come again in it."""
    return holder.fields if isinstance(holder, _Repeating) else holder.items()


def _read_object(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(fields)
    return made if len(made) == len(fields) else _Repeating(fields)


def _with_letters(raw: bytes) -> bytes:
    """Letters after an escaped backslash are replaced, too; so too many fields may be counted."""
    for escaped, letter in _LETTERS:
        raw = raw.replace(escaped, letter)
    return raw


def _count_fields(raw: bytes) -> int:
    """How many fields there are whose value may be a URL. Within a text the quote after a name
    would be escaped."""
    count = 0
    for key, field in _FIELDS:
        if key in raw:
            count += len(field.findall(raw))
    return count


def _count_read(body: Mapping[str, Any]) -> int:
    """How many of them are left: never more. -1: it is not known."""
    try:
        return _count_fields(jsonio.dumps(body))
    except jsonio.TooDeep:
        return -1
