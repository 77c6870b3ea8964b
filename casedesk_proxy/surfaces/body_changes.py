"""Sets, adds and removes fields of a JSON body; every other byte is unchanged.

A body is changed twice at once: `Draft` changes its parsed value and notes the changes, and
`body_edits` makes the same changes in the bytes. A duplicate field gets its new value, or is
removed, in both places, since nodes differ in which one they use.
"""

from __future__ import annotations

from typing import Any

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.body_edits import (
    REMOVED,
    Names,
    has_once,
    is_same,
    write_changes,
)

__all__ = ["Draft", "FieldPath"]

#: For each level the names of the field there, the usual one first.
FieldPath = tuple[tuple[str, ...], ...]
_ROOT: Names = ()


class Draft:
    """A body that is being changed: ``value`` is what ``raw`` parses to, with the last of duplicate
    keys."""

    __slots__ = ("_changes", "_raw", "value")

    def __init__(self, raw: bytes, value: dict[str, Any]) -> None:
        self.value = value
        self._raw = raw
        #: New value or REMOVED, and whether the bytes have the field.
        self._changes: dict[Names, tuple[Any, bool]] = {}

    def find(self, path: FieldPath) -> list[Names]:
        """The names under which the field exists with a value that is not null."""
        value = self.value
        if len(path) == 1:
            [level] = path
            if len(level) == 1:
                return [level] if value.get(level[0]) is not None else []
            return [(name,) for name in level if value.get(name) is not None]
        found: list[tuple[Names, Any]] = [((), value)]
        for level in path:
            found = [
                ((*names, name), inner)
                for names, holder in found
                if isinstance(holder, dict)
                for name in level
                if (inner := holder.get(name)) is not None
            ]
        return [names for names, _ in found]

    def read(self, names: Names) -> Any:
        return (self.value if len(names) == 1 else self._holder(names))[names[-1]]

    def put(self, path: FieldPath, value: Any) -> None:
        """Set the field wherever it exists, else under its first name. Raises BadRequest if the
        value that should contain it is not an object."""
        found = self.find(path)
        for names in found:
            self.replace(names, value)
        if not found:
            self._create(path, value)

    def replace(self, names: Names, value: Any) -> None:
        """Replace the value of an existing field."""
        name = names[-1]
        holder = self.value if len(names) == 1 else self._holder(names)
        if not is_same(holder[name], value):
            holder[name] = value
            self._note(names, value, True)
        elif not all(has_once(self._raw, one) for one in names):
            # The same object, not a copy: later changes inside it must be made in both.
            self._note(names, holder[name], True)

    def remove(self, path: FieldPath) -> None:
        for names in self._find_even_null(path):
            del self._holder(names)[names[-1]]
            self._note(names, REMOVED, True)

    def check_double(self, names: Names) -> None:
        """Set each of a field's values to the parsed one, if the field may be duplicate."""
        self.replace(names, self.read(names))

    def write(self) -> bytes:
        """The bytes, with all changes."""
        return write_changes(self._raw, self._changes) if self._changes else self._raw

    def _holder(self, names: Names) -> dict[str, Any]:
        holder = self.value
        for name in names[:-1]:
            holder = holder[name]
        return holder

    def _find_even_null(self, path: FieldPath) -> list[Names]:
        holders = self.find(path[:-1]) if len(path) > 1 else [()]
        found = []
        for names in holders:
            holder = self._holder((*names, ""))
            if isinstance(holder, dict):
                found += [(*names, name) for name in path[-1] if name in holder]
        return found

    def _create(self, path: FieldPath, value: Any) -> None:
        found: list[tuple[Names, Any]] = [(_ROOT, self.value)]
        for level in path[:-1]:
            inner = [
                ((*names, name), one)
                for names, holder in found
                if isinstance(holder, dict)
                for name in level
                if (one := holder.get(name)) is not None
            ]
            if not inner:
                names, holder = _first_object(found)
                present = level[0] in holder
                made: dict[str, Any] = {}
                holder[level[0]] = made
                names = (*names, level[0])
                self._note(names, made, present)
                inner = [(names, made)]
            found = inner
        names, holder = _first_object(found)
        names = (*names, next((one for one in path[-1] if one in holder), path[-1][0]))
        present = names[-1] in holder
        holder[names[-1]] = value
        self._note(names, value, present)

    def _note(self, names: Names, value: Any, present: bool) -> None:
        changes = self._changes
        if changes:
            for end in range(1, len(names)):
                if names[:end] in changes:
                    return  # Its value is the object that contains this field.
            for other in [other for other in changes if other[: len(names)] == names != other]:
                del changes[other]
            if names in changes:
                present = changes[names][1]
        if value is REMOVED and not present:
            del changes[names]
        else:
            changes[names] = value, present


def _first_object(found: list[tuple[Names, Any]]) -> tuple[Names, dict[str, Any]]:
    """Raises BadRequest if none of them is an object."""
    for names, holder in found:
        if isinstance(holder, dict):
            return names, holder
    raise BadRequest.about(".".join(found[0][0]), "an object is required")
