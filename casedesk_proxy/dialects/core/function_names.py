"""Function names that a node refuses, and their replacements."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

__all__ = ["ToolNameMap", "portable_names"]

_PORTABLE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_PORTABLE = re.compile(r"[^A-Za-z0-9_-]")


def portable_names(names: Iterable[str]) -> dict[str, str]:
    """New names for those that a strict node would refuse; unique, so that they can be mapped
    back."""
    used = list(dict.fromkeys(names))
    taken = set(used)
    renamed: dict[str, str] = {}
    # last numbers used, so that many similar names are not counted again
    numbers: dict[str, int] = {}
    for name in used:
        fitted = _NOT_PORTABLE.sub("_", name)[:64]
        stem = fitted[:58]
        while fitted != name and fitted in taken:
            numbers[stem] = numbers.get(stem, 0) + 1
            fitted = f"{stem}_{numbers[stem]}"
        if fitted != name:
            taken.add(fitted)
            renamed[name] = fitted
    return renamed


class ToolNameMap:
    """Names that a node accepts, made one by one: a name always gets the same replacement, in every
    request. ``given`` maps replacements back.

    Anthropic's names are up to 128 characters long, OpenAI's 64.
    """

    def __init__(self, *, strict: bool) -> None:
        self.given: dict[str, str] = {}
        self._strict = strict

    def rename(self, name: str) -> str:
        if not self._strict or _PORTABLE.fullmatch(name):
            return name
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=4).hexdigest()
        portable = f"{_NOT_PORTABLE.sub('_', name)[:55]}_{digest}"
        self.given[portable] = name
        return portable
