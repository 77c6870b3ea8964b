"""Fields of a JSON body given other values, put in or taken out, and every other byte as it was.

A body is changed twice at once: `Draft` changes what it parsed to and notes what it changed, and
`Draft.write` puts the same into the bytes. A field that stands twice gets its new value, or goes,
wherever it stands, since nodes differ in which one they take.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from casedesk_proxy import jsonio
from casedesk_proxy.errors import BadRequest, Violation
from casedesk_proxy.surfaces.json_spans import Span, entries, splice, value_behind

__all__ = ["Draft", "FieldPath"]

#: For each level the names that a field goes by there, the usual one first.
FieldPath = tuple[tuple[str, ...], ...]
_Names = tuple[str, ...]
_Edit = tuple[Span, bytes]

_ROOT: _Names = ()
_REMOVED = object()
_ABSENT = object()
_BLANKS = b" \t\r\n"


class Draft:
    """A body under change: ``value`` is what ``raw`` parses to, of double keys the last."""

    __slots__ = ("_changes", "_raw", "value")

    def __init__(self, raw: bytes, value: dict[str, Any]) -> None:
        self.value = value
        self._raw = raw
        #: New value or _REMOVED, and whether the bytes have the field.
        self._changes: dict[_Names, tuple[Any, bool]] = {}

    def find(self, path: FieldPath) -> list[_Names]:
        """Under which names the field is there, with a value that is not null."""
        if len(path) == 1:
            value = self.value
            return [(name,) for name in path[0] if value.get(name) is not None]
        found: list[tuple[_Names, Any]] = [((), self.value)]
        for level in path:
            found = [
                ((*names, name), inner)
                for names, holder in found
                if isinstance(holder, dict)
                for name in level
                if (inner := holder.get(name)) is not None
            ]
        return [names for names, _ in found]

    def read(self, names: _Names) -> Any:
        return self._holder(names)[names[-1]]

    def put(self, path: FieldPath, value: Any) -> None:
        """Everywhere where the field is, else under its first name. Raises BadRequest where what
        should hold it is not an object."""
        found = self.find(path)
        for names in found:
            self.replace(names, value)
        if not found:
            self._create(path, value)

    def replace(self, names: _Names, value: Any) -> None:
        """The value of a field that is there."""
        holder, name = self._holder(names), names[-1]
        if not _same(holder[name], value):
            holder[name] = value
            self._note(names, value, True)
        elif self._may_be_double(name) or any(map(self._may_be_double, names[:-1])):
            self._note(names, value, True)

    def remove(self, path: FieldPath) -> None:
        for names in self._find_even_null(path):
            del self._holder(names)[names[-1]]
            self._note(names, _REMOVED, True)

    def check_double(self, names: _Names) -> None:
        """Gives each of a field's values the one that it parsed to, if it may stand twice."""
        self.replace(names, self.read(names))

    def write(self) -> bytes:
        """The bytes, with what was changed."""
        if not self._changes:
            return self._raw
        edits = _quick_edits(self._raw, self._changes)
        if edits is None:
            edits = []
            _edit_object(self._raw, 0, _as_tree(self._changes), edits)
        edits.sort()
        return splice(self._raw, edits)

    def _holder(self, names: _Names) -> dict[str, Any]:
        holder = self.value
        for name in names[:-1]:
            holder = holder[name]
        return holder

    def _find_even_null(self, path: FieldPath) -> list[_Names]:
        holders = self.find(path[:-1]) if len(path) > 1 else [()]
        found = []
        for names in holders:
            holder = self._holder((*names, ""))
            if isinstance(holder, dict):
                found += [(*names, name) for name in path[-1] if name in holder]
        return found

    def _create(self, path: FieldPath, value: Any) -> None:
        holder, names = self.value, _ROOT
        for level in path[:-1]:
            name = next((one for one in level if holder.get(one) is not None), level[0])
            names = (*names, name)
            inner = holder.get(name)
            if inner is None:
                present = name in holder
                holder[name] = inner = {}
                self._note(names, inner, present)
            elif not isinstance(inner, dict):
                raise _no_object(names)
            holder = inner
        names = (*names, next((one for one in path[-1] if one in holder), path[-1][0]))
        present = names[-1] in holder
        holder[names[-1]] = value
        self._note(names, value, present)

    def _note(self, names: _Names, value: Any, present: bool) -> None:
        changes = self._changes
        if changes:
            for end in range(1, len(names)):
                if names[:end] in changes:
                    return  # That one's value is the very object that holds this field.
            for other in [other for other in changes if other[: len(names)] == names != other]:
                del changes[other]
            if names in changes:
                present = changes[names][1]
        if value is _REMOVED and not present:
            del changes[names]
        else:
            changes[names] = value, present

    def _may_be_double(self, name: str) -> bool:
        raw = self._raw
        quoted = b'"%b"' % name.encode()
        at = raw.find(quoted)
        return at < 0 or raw.find(quoted, at + 1) >= 0 or b"\\u00" in raw


def _no_object(names: _Names) -> BadRequest:
    field = ".".join(names)
    message = "an object is required"
    return BadRequest(f"{field}: {message}", violations=(Violation(field, message),))


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def _quick_edits(raw: bytes, changes: Mapping[_Names, tuple[Any, bool]]) -> list[_Edit] | None:
    """Without a look at anything but the fields themselves; None where one cannot be found so."""
    if b"\\u00" in raw:
        return None  # A letter of a name may be written like that.
    edits: list[_Edit] = []
    put_in: dict[int, list[bytes]] = {}
    for names, (value, present) in changes.items():
        if value is _REMOVED:
            return None
        at = 0
        for name in names if present else names[:-1]:
            quoted = b'"%b"' % name.encode()
            at = raw.find(quoted)
            if at < 0 or raw.find(quoted, at + 1) >= 0:
                return None
        text = jsonio.dumps(value)
        if present:
            edits.append((value_behind(raw, at), text))
            continue
        start = value_behind(raw, at)[0] if len(names) > 1 else raw.index(b"{")
        put_in.setdefault(start + 1, []).append(jsonio.dumps(names[-1]) + b":" + text)
    for start, fields in put_in.items():
        edits.append(((start, start), b",".join(fields) + _comma_before(raw, start)))
    return edits


def _comma_before(raw: bytes, at: int) -> bytes:
    """What has to stand between a new first field and what is at ``at``."""
    while raw[at] in _BLANKS:
        at += 1
    return b"" if raw[at : at + 1] == b"}" else b","


def _as_tree(changes: Mapping[_Names, tuple[Any, bool]]) -> _Tree:
    tree = _Tree()
    for names, (value, _) in changes.items():
        here = tree
        for name in names[:-1]:
            here = here.below.setdefault(name, _Tree())
        here.below[names[-1]] = _Tree(value)
    return tree


class _Tree:
    """What becomes of a field, and of the fields in it."""

    __slots__ = ("below", "value")

    def __init__(self, value: Any = _ABSENT) -> None:
        self.below: dict[str, _Tree] = {}
        self.value = value

    def built(self) -> Any:
        """The value where the field is missing; _REMOVED for none."""
        if self.value is not _ABSENT:
            return self.value
        inner = {name: one.built() for name, one in self.below.items()}
        kept = {name: value for name, value in inner.items() if value is not _REMOVED}
        return kept or _REMOVED


class _Field(NamedTuple):
    """Where a field is: the quote ``before`` its name, and its value's ``start`` and ``end``."""

    name: str
    before: int
    start: int
    end: int


def _edit_object(raw: bytes, at: int, tree: _Tree, edits: list[_Edit]) -> None:
    """For the object that opens at or after ``at``, every field of a name alike."""
    found = [
        _Field(_read_name(key), before, start, end) for key, before, start, end in entries(raw, at)
    ]
    gone = [_is_removed(tree, one.name) for one in found]
    missing = dict.fromkeys(tree.below)
    for name, _, start, end in found:
        missing.pop(name, None)
        one = tree.below.get(name)
        if one is None or one.value is _REMOVED:
            continue
        if one.value is _ABSENT and raw[start : start + 1] == b"{":
            _edit_object(raw, start, one, edits)
            continue
        new = one.built()
        if new is not _REMOVED and not _same(jsonio.loads(raw[start:end]), new):
            edits.append(((start, end), jsonio.dumps(new)))
    _take_out(found, gone, edits)
    new_fields = [
        jsonio.dumps(name) + b":" + jsonio.dumps(value)
        for name in missing
        if (value := tree.below[name].built()) is not _REMOVED
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
    return one is not None and one.value is _REMOVED


def _take_out(found: list[_Field], gone: list[bool], edits: list[_Edit]) -> None:
    """Each field that is gone, with the comma behind it; behind the last that stays, the comma
    before it."""
    last = max((index for index, out in enumerate(gone) if not out), default=-1)
    for index in range(last):
        if gone[index]:
            edits.append(((found[index].before, found[index + 1].before), b""))
    if found and last < len(found) - 1:
        start = found[last].end if last >= 0 else found[0].before
        edits.append(((start, found[-1].end), b""))
