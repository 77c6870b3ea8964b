"""Lists of models and patterns of names that are looked up in, not walked.

A node may have a thousand models, a hundred nodes the same ones, and a deployment a thousand
patterns: what a request costs must not grow with any of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import pairwise

from casedesk_proxy.terms import ModelInfo

__all__ = ["ModelList", "PatternIndex", "as_list", "by_name", "find_near"]

_MARKS = "*?["
#: Of the names that share most with what was asked for, so many are looked at closely.
_MAX_NEAR_NAMES = 20


class ModelList(tuple[ModelInfo, ...]):
    """The models of one node, in the node's order; of two of a name the first counts."""

    @cached_property
    def by_name(self) -> Mapping[str, ModelInfo]:
        """Made once, when somebody first asks."""
        return _by_name(self)


def as_list(models: tuple[ModelInfo, ...]) -> ModelList:
    """Itself where it is one: what was worked out of it is kept."""
    return models if isinstance(models, ModelList) else ModelList(models)


def by_name(models: tuple[ModelInfo, ...]) -> Mapping[str, ModelInfo]:
    return models.by_name if isinstance(models, ModelList) else _by_name(models)


def _by_name(models: tuple[ModelInfo, ...]) -> dict[str, ModelInfo]:
    known: dict[str, ModelInfo] = {}
    for model in models:
        known.setdefault(model.name, model)
    return known


class PatternIndex:
    """Patterns by the letters before their first mark: only those that a name begins with are
    tried, in the order in which they were written."""

    __slots__ = ("_by_start", "_lengths")

    def __init__(self, patterns: Iterable[tuple[str, str]]) -> None:
        self._by_start: dict[str, list[tuple[int, tuple[str, str]]]] = {}
        for place, pattern in enumerate(patterns):
            start = _start(pattern[0])
            self._by_start.setdefault(start, []).append((place, pattern))
        self._lengths = sorted({len(start) for start in self._by_start})

    def find(self, name: str) -> tuple[str, str] | None:
        """The first pattern that fits, and what it leads to."""
        found = [one for start in self._starts(name) for one in self._by_start.get(start, ())]
        found.sort()
        return next((one for _, one in found if fnmatchcase(name, one[0])), None)

    def _starts(self, name: str) -> Iterator[str]:
        for length in self._lengths:
            if length > len(name):
                return
            yield name[:length]


def _start(pattern: str) -> str:
    end = min((at for mark in _MARKS if (at := pattern.find(mark)) >= 0), default=len(pattern))
    return pattern[:end]


def find_near(wanted: str, names: list[str]) -> list[str]:
    """The names that have most pairs of letters in common with ``wanted``: as many as may be
    compared letter by letter, which takes twenty times as long."""
    if len(names) <= _MAX_NEAR_NAMES:
        return names
    pairs = set(pairwise(wanted))

    def unlikeness(name: str) -> int:
        return -len(pairs.intersection(pairwise(name)))

    return sorted(names, key=unlikeness)[:_MAX_NEAR_NAMES]
