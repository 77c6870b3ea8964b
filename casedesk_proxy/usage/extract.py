"""Where each dialect keeps its token counts, found without parsing the whole reply.

A count object is recognised by its raw key (``"usage":`` …). The same characters inside a
generated text stand there with escaped quotes, so they cannot be mistaken for it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from casedesk_proxy import jsonio
from casedesk_proxy.terms import Dialect, Usage

__all__ = ["find_usage", "read_usage"]

_KEYS = {
    Dialect.GEMINI: b'"usageMetadata"',
    Dialect.ANTHROPIC: b'"usage"',
    Dialect.OPENAI: b'"usage"',
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
_NOTHING = Usage()
#: What stands between a key and its object.
_BEFORE = re.compile(rb"\s{0,20}:\s{0,20}(?=\{)")
#: An object of counts: no object in it holds another one.
_FLAT = re.compile(rb"\{[^{}]*+(?:\{[^{}]*+\}[^{}]*+)*+\}")
_DECODER = json.JSONDecoder()
#: Objects looked at, from the end backwards. The last ones hold the final, cumulative counts.
_MOST = 4


def find_usage(dialect: Dialect, first: bytes, last: bytes) -> Usage:
    """Counts in the beginning and the end of a reply's body; later ones win, field by field.

    Anthropic streams name the prompt's tokens in the first event and the output's in the last.
    """
    usage = _NOTHING
    for part in (first, last):
        if part:
            for found in _objects(part, _KEYS[dialect]):
                told = read_usage(dialect, found)
                usage = told if usage is _NOTHING else _merge(usage, told)
    return usage


def read_usage(dialect: Dialect, counts: dict[str, Any]) -> Usage:
    """Read one count object. Whatever is not a count is None."""
    prompt, output, cached, thoughts = _PATHS[dialect]
    return Usage(
        _dig(counts, prompt), _dig(counts, output), _dig(counts, cached), _dig(counts, thoughts)
    )


def _objects(part: bytes, key: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    position = len(part)
    while len(found) < _MOST and (position := part.rfind(key, 0, position)) >= 0:
        start = position + len(key)
        before = _BEFORE.match(part, start)
        if before is None:
            continue
        value = _read_object(part, before.end())
        if value is not None:
            found.append(value)
    return found[::-1]


def _read_object(part: bytes, start: int) -> dict[str, Any] | None:
    """The object that begins there; None where there is none."""
    flat = _FLAT.match(part, start)
    try:
        if flat is not None:
            value: dict[str, Any] = jsonio.loads(flat[0])
            return value
    except ValueError:
        pass  # A brace inside a text, or a number that strict JSON has not.
    try:
        value, _ = _DECODER.raw_decode(part[start:].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value


def _dig(value: Any, path: tuple[str, ...]) -> int | None:
    if not path:
        return None
    for key in path:
        value = value.get(key) if value.__class__ is dict else None
    return value if value.__class__ is int and value >= 0 else None


def _merge(old: Usage, new: Usage) -> Usage:
    return Usage(
        new.prompt if new.prompt is not None else old.prompt,
        new.output if new.output is not None else old.output,
        new.cached if new.cached is not None else old.cached,
        new.thoughts if new.thoughts is not None else old.thoughts,
    )
