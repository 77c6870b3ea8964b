"""Walks through a client's body of any shape, before it has been validated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["each_object"]


def each_object(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a list, with their indexes; none if the value is not a list."""
    if isinstance(value, list):
        for at, one in enumerate(value):
            if isinstance(one, dict):
                yield at, one
