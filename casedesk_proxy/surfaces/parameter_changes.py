"""Changes that an alias or a key makes in bodies of one kind: the bytes and the parsed value are
changed together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.surfaces.body_changes import Draft, FieldPath
from casedesk_proxy.surfaces.field_names import KNOWN_NAMES, refuse_other_case
from casedesk_proxy.surfaces.parameter_steps import Step, list_paths

__all__ = ["BodyChange", "change_body"]


@dataclass(frozen=True, slots=True)
class BodyChange:
    """``steps`` for bodies of one kind. A body without any of ``names``, the outermost fields that
    the steps read, only gets ``fields`` added, whatever else it contains: most bodies have none.
    ``levels``: the fields that the steps read in each object, by its place, whose names have not
    been checked for another case yet."""

    steps: tuple[Step, ...]
    names: frozenset[str]
    fields: bytes
    levels: tuple[tuple[tuple[str, ...], frozenset[str]], ...]

    @classmethod
    def of(cls, steps: tuple[Step, ...]) -> BodyChange | None:
        """None if there is nothing to change."""
        if not steps:
            return None
        paths = tuple(list_paths(steps))
        names = frozenset(name for path in paths for name in path[0])
        return cls(steps, names, _apply(steps, b"{}", {})[1:-1], tuple(_levels(paths).items()))


def change_body(change: BodyChange, raw: bytes, value: dict[str, Any]) -> bytes:
    """The body with its fields changed, and ``value``, to which it parses, changed in the same way;
    every other byte is unchanged. Raises BadRequest, naming the field that prevents a change."""
    for names, known in change.levels:
        holder: Any = value
        for name in names:
            holder = holder.get(name) if isinstance(holder, dict) else None
        if isinstance(holder, dict):
            refuse_other_case(holder, known, ".".join(names))
    if not change.names.isdisjoint(value):
        return _apply(change.steps, raw, value)
    if not change.fields:
        return raw
    at = raw.index(b"{") + 1
    start = raw[:at] + change.fields + (b"," if value else b"")
    value.update(jsonio.loads(b"{%b}" % change.fields))
    return start + raw[at:]


def _apply(steps: tuple[Step, ...], raw: bytes, value: dict[str, Any]) -> bytes:
    draft = Draft(raw, value)
    for step in steps:
        step.apply(draft)
    return draft.write()


def _levels(paths: Iterable[FieldPath]) -> Mapping[tuple[str, ...], frozenset[str]]:
    """The fields that change, by their object's place. A node that ignores the case of names could
    read another value under a name that differs only in case. Gemini's names have capitals and its
    nodes are exact, so they are left out."""
    found: dict[tuple[str, ...], frozenset[str]] = {}
    for path in paths:
        if all(len(level) == 1 or level[0].islower() for level in path):
            for depth, level in enumerate(path):
                where = tuple(one[0] for one in path[:depth])
                found[where] = found.get(where, frozenset()) | frozenset(level)
    if found.get((), frozenset()) <= KNOWN_NAMES:
        found.pop((), None)  # See `bodies.read_body`.
    return found
