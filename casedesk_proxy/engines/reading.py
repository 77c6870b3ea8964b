"""Reads facts from JSON of any shape: a missing value, or one of the wrong type, is None or
empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from casedesk_proxy.jsonio import read_count

__all__ = [
    "as_count",
    "as_epoch",
    "as_mapping",
    "as_text",
    "as_texts",
    "named_entries",
    "version_numbers",
]


def as_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def named_entries(listing: Any, key: str, name: str) -> Iterator[dict[str, Any]]:
    """The objects of the list at ``key`` that have a text at ``name``."""
    entries = as_mapping(listing).get(key)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and as_text(entry.get(name)) is not None:
            yield entry


def as_text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def as_texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def as_count(value: Any) -> int | None:
    """A whole number above 0."""
    return read_count(value) or None


def as_epoch(value: Any) -> int | None:
    """An RFC 3339 time as seconds since 1970; None for Go's zero time (year 1)."""
    if not isinstance(value, str):
        return None
    try:
        return as_count(int(datetime.fromisoformat(value).timestamp()))
    except (ValueError, OverflowError):
        return None


def version_numbers(version: str) -> tuple[int, ...]:
    """``0.14.2-rc1`` → (0, 14); () if the text is not a version."""
    parts = version.lstrip("v").split(".")[:2]
    # Python refuses to read numbers of thousands of digits.
    plain = all(part.isdecimal() and len(part) < 10 for part in parts)
    return tuple(int(part) for part in parts) if plain else ()
