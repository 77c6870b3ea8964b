"""Indexes of models and of patterns of names, so that no request walks through them.

A node may have a thousand models, a hundred nodes may have the same ones, and a deployment may have
a thousand patterns: the cost of a request must not grow with any of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import pairwise

from casedesk_proxy.terms import ModelInfo

__all__ = ["ModelList", "PatternIndex", "as_list", "by_name", "find_near"]

_MARKS = "*?["
#: How many of the names that share most letter pairs with the requested one are compared in full.
_MAX_NEAR_NAMES = 20


class ModelList(tuple[ModelInfo, ...]):
    """The models of one node, in the node's order; if two have the same name, the first counts."""

    @cached_property
    def by_name(self) -> Mapping[str, ModelInfo]:
        """Built once, at the first use."""
        return _by_name(self)


def as_list(models: tuple[ModelInfo, ...]) -> ModelList:
    """The list itself if it is a ModelList already, so that its index is kept."""
    return models if isinstance(models, ModelList) else ModelList(models)


def by_name(models: tuple[ModelInfo, ...]) -> Mapping[str, ModelInfo]:
    return models.by_name if isinstance(models, ModelList) else _by_name(models)


def _by_name(models: tuple[ModelInfo, ...]) -> dict[str, ModelInfo]:
    known: dict[str, ModelInfo] = {}
    for model in models:
        known.setdefault(model.name, model)
    return known


class PatternIndex:
    """Patterns by the letters before their first wildcard: only those that match the beginning of a
    name are tried, in the order in which they were written."""

    __slots__ = ("_by_start", "_lengths")

    def __init__(self, patterns: Iterable[tuple[str, str]]) -> None:
        self._by_start: dict[str, list[tuple[int, tuple[str, str]]]] = {}
        for place, pattern in enumerate(patterns):
            start = _start(pattern[0])
            self._by_start.setdefault(start, []).append((place, pattern))
        self._lengths = sorted({len(start) for start in self._by_start})

    def find(self, name: str) -> tuple[str, str] | None:
        """The first pattern that matches, and its target."""
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
    """The names that share most letter pairs with ``wanted``, and no more of them than may be
    compared letter by letter, which takes twenty times as long."""
    if len(names) <= _MAX_NEAR_NAMES:
        return names
    pairs = set(pairwise(wanted))

    def unlikeness(name: str) -> int:
        return -len(pairs.intersection(pairwise(name)))

    return sorted(names, key=unlikeness)[:_MAX_NEAR_NAMES]
