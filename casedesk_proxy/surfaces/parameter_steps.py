"""The steps by which an alias changes a request: each examines one field."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.surfaces.body_changes import Draft, FieldPath

__all__ = [
    "CapAt",
    "Case",
    "ChangeBy",
    "Default",
    "Remove",
    "SetTo",
    "Step",
    "list_paths",
    "read_case",
]


@dataclass(frozen=True, slots=True)
class Remove:
    path: FieldPath

    def apply(self, draft: Draft) -> None:
        draft.remove(self.path)


@dataclass(frozen=True, slots=True)
class SetTo:
    path: FieldPath
    value: Any

    def apply(self, draft: Draft) -> None:
        draft.put(self.path, self.value)


@dataclass(frozen=True, slots=True)
class Default:
    """``steps`` are for a request that has none of ``paths``; null counts as missing."""

    paths: tuple[FieldPath, ...]
    steps: tuple[Step, ...]

    def apply(self, draft: Draft) -> None:
        if not any(map(draft.find, self.paths)):
            for step in self.steps:
                step.apply(draft)


@dataclass(frozen=True, slots=True)
class CapAt:
    """``bounds``: a value that is not a number, and one below zero, mean no limit, and get ``most``
    too. ``fills``: so does a missing field."""

    path: FieldPath
    most: int | float
    bounds: bool = False
    fills: bool = False

    def apply(self, draft: Draft) -> None:
        found = draft.find(self.path)
        for names in found:
            number = _read_number(names, draft.read(names))
            if not number <= self.most or (self.bounds and number < 0):
                draft.replace(names, self.most)
            else:
                draft.check_double(names)
        if not found and self.fills:
            draft.put(self.path, self.most)


@dataclass(frozen=True, slots=True)
class Case:
    """Values of a field: a ``text`` in any case ("*": any value), or numbers."""

    text: str
    steps: tuple[Step, ...]
    least: float = math.inf
    most: float = -math.inf

    def fits(self, value: Any) -> bool:
        if self.text == "*":
            return True
        if type(value) in (int, float):
            return bool(self.least <= value <= self.most)
        if isinstance(value, bool):
            value = "true" if value else "false"
        return isinstance(value, str) and value.lower() == self.text


@dataclass(frozen=True, slots=True)
class ChangeBy:
    """The first of ``cases`` that matches a field's value decides the change."""

    path: FieldPath
    cases: tuple[Case, ...]

    def apply(self, draft: Draft) -> None:
        for names in draft.find(self.path)[:1]:
            value = draft.read(names)
            case = next((one for one in self.cases if one.fits(value)), None)
            for step in case.steps if case is not None else ():
                step.apply(draft)


Step = Remove | SetTo | Default | CapAt | ChangeBy


def list_paths(steps: Iterable[Step]) -> Iterator[FieldPath]:
    """The fields that steps read or change."""
    for step in steps:
        if isinstance(step, Default):
            yield from step.paths
            yield from list_paths(step.steps)
            continue
        yield step.path
        if isinstance(step, ChangeBy):
            for case in step.cases:
                yield from list_paths(case.steps)


def read_case(text: str, steps: tuple[Step, ...]) -> Case:
    """``text`` as in the file: a value, a number, or a range such as ``..1024``."""
    least, dots, most = text.partition("..")
    try:
        if dots:
            return Case(text, steps, float(least or -math.inf), float(most or math.inf))
        return Case(text.lower(), steps, float(text), float(text))
    except ValueError:
        return Case(text.lower(), steps)


def _read_number(names: tuple[str, ...], value: Any) -> float:
    """JSON of protocol buffers may have a number in quotes. Raises BadRequest for anything else,
    since it is not known how a node would read it, and a limit must hold."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        if isinstance(value, str):
            return float(value)
    except ValueError:
        pass
    raise BadRequest.about(".".join(names), "a number is required")
