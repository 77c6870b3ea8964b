"""Writes changed fields into the bytes of a JSON body, each in its place.

If each name occurs once in the body, it is found by a search and nothing else is read; otherwise
the objects that contain the fields are scanned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from casedesk_proxy import jsonio
from casedesk_proxy.surfaces.json_spans import Span, entries, splice, value_behind

__all__ = ["REMOVED", "Changes", "Names", "has_once", "is_same", "write_changes"]

#: The names of a field, from the outermost object inwards.
Names = tuple[str, ...]
#: New value or REMOVED, and whether the bytes have the field.
Changes = Mapping[Names, tuple[Any, bool]]
_Edit = tuple[Span, bytes]

REMOVED = object()
_ABSENT = object()
_BLANKS = b" \t\r\n"
#: A value that is neither an object nor an array, after its name: usually this avoids scanning the
#: object.
_SIMPLE_VALUE = re.compile(
    rb'[ \t\r\n]*+:[ \t\r\n]*+("[^"\\]*+(?:\\.[^"\\]*+)*+"|[^][ \t\r\n,}{"]++)', re.DOTALL
)
_COMMA = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+")


def write_changes(raw: bytes, changes: Changes) -> bytes:
    """``raw`` with the fields changed."""
    if len(changes) == 1:
        # Most rules change one existing field of the outermost object: the fast path.
        [(names, (value, present))] = changes.items()
        if present and len(names) == 1 and value is not REMOVED:
            at = _find_only(raw, names[0])
            if at >= 0:
                found = _SIMPLE_VALUE.match(raw, at + len(_quote(names[0])))
                if found is not None:
                    return raw[: found.start(1)] + jsonio.dumps(value) + raw[found.end() :]
    edits = _quick_edits(raw, changes)
    if edits is None:
        edits = []
        _edit_object(raw, 0, _as_tree(changes), edits)
    if len(edits) == 1:
        [((start, end), text)] = edits
        return raw[:start] + text + raw[end:]
    edits.sort()
    return splice(raw, edits)


def has_once(raw: bytes, name: str) -> bool:
    """Whether the name surely occurs once in the body, so that the field, if it exists, is not
    duplicate."""
    return _find_only(raw, name) >= 0


def is_same(one: Any, other: Any) -> bool:
    """Equal as JSON values: 1, 1.0 and true are three values."""
    return type(one) is type(other) and one == other


def _quick_edits(raw: bytes, changes: Changes) -> list[_Edit] | None:
    """Edits that need nothing but the fields themselves; None if a field cannot be found in this
    way."""
    edits: list[_Edit] = []
    put_in: dict[int, list[bytes]] = {}
    for names, (value, present) in changes.items():
        at = 0
        for name in names if present else names[:-1]:
            at = _find_only(raw, name)
            if at < 0:
                return None
        if not present:
            start = value_behind(raw, at)[0] if len(names) > 1 else raw.index(b"{")
            field = _quote(names[-1]) + b":" + jsonio.dumps(value)
            put_in.setdefault(start + 1, []).append(field)
            continue
        simple = _SIMPLE_VALUE.match(raw, at + len(_quote(names[-1])))
        span = value_behind(raw, at) if simple is None else simple.span(1)
        if value is not REMOVED:
            edits.append((span, jsonio.dumps(value)))
            continue
        comma = _COMMA.match(raw, span[1])
        if comma is None:
            return None  # The last field is removed with the comma before it.
        edits.append(((at, comma.end()), b""))
    for start, fields in put_in.items():
        edits.append(((start, start), b",".join(fields) + _comma_before(raw, start)))
    return edits


def _find_only(raw: bytes, name: str) -> int:
    """Where the name, with its quotes, surely occurs for the only time; -1 if it may occur again or
    does not occur."""
    quoted = _quote(name)
    at = raw.find(quoted)
    if at < 0 or raw.find(quoted, at + 1) >= 0:
        return -1
    if b"\\" in raw and any(one in raw for one in _escapes_of(name)):
        return -1
    return at


@lru_cache(1024)
def _escapes_of(name: str) -> tuple[bytes, ...]:
    """The beginnings of the escapes by which a character of the name may be written in a second
    way (RFC 8259, section 7)."""
    if not name.isascii():
        return (b"\\u",)
    found = {b"\\u%03x" % (ord(one) >> 4) for one in name}
    return (*sorted(found), *([b"\\/"] if "/" in name else []))


@lru_cache(1024)
def _quote(name: str) -> bytes:
    """The usual form of a name in a body. Names come from the configuration."""
    return jsonio.dumps(name)


def _comma_before(raw: bytes, at: int) -> bytes:
    """What must be written between a new first field and what is at ``at``."""
    while raw[at] in _BLANKS:
        at += 1
    return b"" if raw[at : at + 1] == b"}" else b","


def _as_tree(changes: Changes) -> _Tree:
    tree = _Tree()
    for names, (value, _) in changes.items():
        here = tree
        for name in names[:-1]:
            here = here.below.setdefault(name, _Tree())
        here.below[names[-1]] = _Tree(value)
    return tree


class _Tree:
    """The change of a field, and of the fields inside it."""

    __slots__ = ("below", "value")

    def __init__(self, value: Any = _ABSENT) -> None:
        self.below: dict[str, _Tree] = {}
        self.value = value

    def built(self) -> Any:
        """The value for a missing field; REMOVED if there is none."""
        if self.value is not _ABSENT:
            return self.value
        inner = {name: one.built() for name, one in self.below.items()}
        kept = {name: value for name, value in inner.items() if value is not REMOVED}
        return kept or REMOVED


class _Field(NamedTuple):
    """The place of a field: the quote ``before`` its name, and its value's ``start`` and
    ``end``."""

    name: str
    before: int
    start: int
    end: int


def _edit_object(raw: bytes, at: int, tree: _Tree, edits: list[_Edit]) -> None:
    """Edit the object that opens at or after ``at``; all fields with the same name are changed
    alike."""
    found = [
        _Field(_read_name(key), before, start, end) for key, before, start, end in entries(raw, at)
    ]
    gone = [_is_removed(tree, one.name) for one in found]
    missing = dict.fromkeys(tree.below)
    for name, _, start, end in found:
        missing.pop(name, None)
        one = tree.below.get(name)
        if one is None or one.value is REMOVED:
            continue
        if one.value is _ABSENT and raw[start : start + 1] == b"{":
            _edit_object(raw, start, one, edits)
            continue
        new = one.built()
        if new is not REMOVED and not is_same(jsonio.loads(raw[start:end]), new):
            edits.append(((start, end), jsonio.dumps(new)))
    _take_out(found, gone, edits)
    new_fields = [
        jsonio.dumps(name) + b":" + jsonio.dumps(value)
        for name in missing
        if (value := tree.below[name].built()) is not REMOVED
    ]
    if new_fields:
        start = raw.index(b"{", at) + 1
        text = b",".join(new_fields) + (b"" if all(gone) else b",")
        edits.append(((start, start), text))


def _read_name(key: bytes) -> str:
    text: str = jsonio.loads(key) if b"\\" in key else key[1:-1].decode()
    return text


def _is_removed(tree: _Tree, name: str) -> bool:
    one = tree.below.get(name)
    return one is not None and one.value is REMOVED


def _take_out(found: list[_Field], gone: list[bool], edits: list[_Edit]) -> None:
    """Remove each field of ``gone`` with the comma after it; after the last field that stays, with
    the comma before it."""
    last = max((index for index, out in enumerate(gone) if not out), default=-1)
    for index in range(last):
        if gone[index]:
            edits.append(((found[index].before, found[index + 1].before), b""))
    if found and last < len(found) - 1:
        start = found[last].end if last >= 0 else found[0].before
        edits.append(((start, found[-1].end), b""))
