"""Where each dialect keeps its token counts, found without parsing the whole reply.

A count object is recognised by its raw key (``"usage":`` …). The same characters inside a
generated text stand there with escaped quotes, so they cannot be mistaken for it.
"""

from __future__ import annotations

import json
from typing import Any

from casedesk_proxy.terms import Dialect, Usage

__all__ = ["find_usage", "read_usage"]

_KEYS = {
    Dialect.GEMINI: '"usageMetadata"',
    Dialect.ANTHROPIC: '"usage"',
    Dialect.OPENAI: '"usage"',
}
#: Per dialect: paths to (prompt, output, cached, thoughts). Sources: the vendors' API references.
_PATHS: dict[Dialect, tuple[tuple[str, ...], ...]] = {
    Dialect.GEMINI: (
        ("promptTokenCount",),
        ("candidatesTokenCount",),
        ("cachedContentTokenCount",),
        ("thoughtsTokenCount",),
    ),
    Dialect.ANTHROPIC: (
        ("input_tokens",),
        ("output_tokens",),
        ("cache_read_input_tokens",),
        (),
    ),
    Dialect.OPENAI: (
        ("prompt_tokens",),
        ("completion_tokens",),
        ("prompt_tokens_details", "cached_tokens"),
        ("completion_tokens_details", "reasoning_tokens"),
    ),
}
_DECODER = json.JSONDecoder()
#: Objects looked at, from the end backwards. The last ones hold the final, cumulative counts.
_MOST = 4


def find_usage(dialect: Dialect, first: bytes, last: bytes) -> Usage:
    """Counts in the beginning and the end of a reply's body; later ones win, field by field.

    Anthropic streams name the prompt's tokens in the first event and the output's in the last.
    """
    usage = Usage()
    for part in (first, last):
        for found in _objects(part.decode("utf-8", "replace"), _KEYS[dialect]):
            usage = _merge(usage, read_usage(dialect, found))
    return usage


def read_usage(dialect: Dialect, counts: dict[str, Any]) -> Usage:
    """Read one count object. Whatever is not a count is None."""
    return Usage(*(_dig(counts, path) for path in _PATHS[dialect]))


def _objects(text: str, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    position = len(text)
    while len(found) < _MOST and (position := text.rfind(key, 0, position)) >= 0:
        start = position + len(key)
        rest = text[start : start + 20].lstrip()
        if not rest.startswith(":") or not rest[1:].lstrip().startswith("{"):
            continue
        try:
            value, _ = _DECODER.raw_decode(text, text.index("{", start))
        except (ValueError, RecursionError):
            continue
        found.append(value)
    return found[::-1]


def _dig(value: Any, path: tuple[str, ...]) -> int | None:
    if not path:
        return None
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    counts = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if counts else None


def _merge(old: Usage, new: Usage) -> Usage:
    return Usage(
        new.prompt if new.prompt is not None else old.prompt,
        new.output if new.output is not None else old.output,
        new.cached if new.cached is not None else old.cached,
        new.thoughts if new.thoughts is not None else old.thoughts,
    )
