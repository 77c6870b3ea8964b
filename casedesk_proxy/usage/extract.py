"""Where each dialect keeps its token counts, found without parsing the whole reply.

Only the protocol's own place counts: the same name in a call's arguments is the model's word.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from casedesk_proxy.jsonio import JSONError, loads, read_count
from casedesk_proxy.terms import Dialect, Usage
from casedesk_proxy.wire.tails import event_around, last_line, outermost_values, read_object

__all__ = ["find_usage", "read_usage"]

_KEYS = {
    Dialect.GEMINI: b'"usageMetadata"',
    Dialect.ANTHROPIC: b'"usage"',
    Dialect.OPENAI: b'"usage"',
    Dialect.RESPONSES: b'"usage"',
}
_FIELDS = {dialect: key[1:-1].decode() for dialect, key in _KEYS.items()}
#: At the end of Ollama's documents stand its counts, beside times and nothing else.
_COUNTS_AT_END = re.compile(rb'(?:[,{]"\w+":\d+)+\}\Z')
_Path = tuple[str, ...]


class _Names(NamedTuple):
    """Of one dialect: the counts that make up the prompt and the output, in Usage's sense, and the
    paths to those of them that were cached, or thoughts."""

    prompt: _Path
    output: _Path
    cached: _Path
    thoughts: _Path


#: Sources: the vendors' API references. Anthropic counts apart what was read from a cache or put
#: into one, Google thoughts and what its own tools found; OpenAI counts them in.
_NAMES = {
    Dialect.GEMINI: _Names(
        ("promptTokenCount", "toolUsePromptTokenCount"),
        ("candidatesTokenCount", "thoughtsTokenCount"),
        ("cachedContentTokenCount",),
        ("thoughtsTokenCount",),
    ),
    Dialect.ANTHROPIC: _Names(
        ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
        ("output_tokens",),
        ("cache_read_input_tokens",),
        ("output_tokens_details", "thinking_tokens"),
    ),
    Dialect.OPENAI: _Names(
        ("prompt_tokens",),
        ("completion_tokens",),
        ("prompt_tokens_details", "cached_tokens"),
        ("completion_tokens_details", "reasoning_tokens"),
    ),
    Dialect.RESPONSES: _Names(
        ("input_tokens",),
        ("output_tokens",),
        ("input_tokens_details", "cached_tokens"),
        ("output_tokens_details", "reasoning_tokens"),
    ),
    Dialect.OLLAMA: _Names(("prompt_eval_count",), ("eval_count",), (), ()),
}
#: Where llama-server counts in chat streams without being asked.
_TIMINGS = b'"timings"'
#: Of the event of Anthropic's streams that has the prompt's counts, in the message within it.
_BEGINNING = b'"message_start"'
_NOTHING = Usage()
#: Responses' events hold the response with the counts, which as one body stands by itself. Of a
#: long event only the end may be at hand.
_EVENTS = re.compile(rb"(?:\A|\n)(?:event|data):|\n\r?\n\Z")
#: Counts that are looked at, from the end backwards. The last ones hold the final,
#: cumulative counts.
_MAX_COUNTS = 4


def find_usage(dialect: Dialect, first: bytes, last: bytes) -> Usage:
    """Counts in the beginning and the end of a reply's body; later ones win, field by field.

    Anthropic streams name the prompt's tokens in the first event and the output's in the last.
    """
    counts: dict[str, Any] = {}
    for found in (*_beginning(dialect, first), *_counts(dialect, last)):
        if isinstance(found, dict):
            counts = _merge(counts, found) if counts else found
    usage = read_usage(dialect, counts) if counts else _NOTHING
    if usage is _NOTHING and dialect is Dialect.OPENAI and _TIMINGS in last:
        return _read_timings(last)
    return usage


def _read_timings(last: bytes) -> Usage:
    """Its ``prompt_n`` lacks the tokens that its cache had."""
    for timings in outermost_values(last, _TIMINGS, 1):
        if isinstance(timings, dict) and (read := read_count(timings.get("prompt_n"))) is not None:
            cached = read_count(timings.get("cache_n")) or 0
            return Usage(read + cached, read_count(timings.get("predicted_n")), cached)
    return _NOTHING


def read_usage(dialect: Dialect, counts: dict[str, Any]) -> Usage:
    """Read one count object. Whatever is not a count is None."""
    prompt, output, cached, thoughts = _NAMES[dialect]
    usage = Usage(
        _add(counts, prompt), _add(counts, output), _dig(counts, cached), _dig(counts, thoughts)
    )
    if dialect is Dialect.OPENAI and usage.prompt is None and usage.output is None:
        return _read_beside_chat(counts)
    return usage


def _read_beside_chat(counts: dict[str, Any]) -> Usage:
    """OpenAI's images and transcriptions count by Responses' names; rerankers may tell the total
    alone (vLLM of 2024, Jina)."""
    if "input_tokens" in counts or "output_tokens" in counts:
        return read_usage(Dialect.RESPONSES, counts)
    return Usage(read_count(counts.get("total_tokens")))


def _add(counts: dict[str, Any], names: _Path) -> int | None:
    """Their sum, of those that are there; None: none is."""
    total = read_count(counts.get(names[0]))
    for name in names[1:]:
        if (more := read_count(counts.get(name))) is not None:
            total = more + (total or 0)
    return total


def _counts(dialect: Dialect, part: bytes) -> list[Any]:
    """What stands in the counts' own place, in its order."""
    if dialect is Dialect.OLLAMA:
        return [_last_object(part)]
    if (document := _whole(part)) is not None:
        return [document.get(_FIELDS[dialect])]
    inside = "response" if dialect is Dialect.RESPONSES and _EVENTS.search(part) else ""
    found = outermost_values(part, _KEYS[dialect], _MAX_COUNTS, inside)
    return [*_beginning(dialect, part), *found]


def _whole(part: bytes) -> dict[str, Any] | None:
    """The document that ``part`` is, where it is all of one. A short body mostly is, and to parse
    that costs half of what a look from its end does; what begins within one never is."""
    if not (part.startswith(b"{") and part.endswith((b"}", b"}\n"))):
        return None
    try:
        document: dict[str, Any] = loads(part)
    except JSONError:
        return None
    return document


def _last_object(part: bytes) -> Any:
    """Ollama's last line, or its whole reply; of one that is longer than what is at hand, its
    end."""
    line = last_line(part)
    if line.startswith(b"{") and (document := read_object(line)) is not None:
        return document
    end = _COUNTS_AT_END.search(line)
    return read_object(b"{" + end[0][1:]) if end is not None else None


def _beginning(dialect: Dialect, part: bytes) -> list[Any]:
    """The counts of a stream's first event, which is whole. Nothing else is taken of a beginning:
    how deep a name stands is told by what comes behind it."""
    if dialect is not Dialect.ANTHROPIC or (at := part.find(_BEGINNING)) < 0:
        return []
    start = event_around(part, at)
    message = start.get("message") if isinstance(start, dict) else None
    if isinstance(message, dict) and start.get("type") == "message_start":
        return [message.get("usage")]
    return []


def _dig(value: Any, path: tuple[str, ...]) -> int | None:
    for key in path:
        if value.__class__ is not dict:
            return None
        value = value.get(key)
    return read_count(value) if path else None


def _merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """What is no count, nor holds any, hides no earlier one."""
    kept = {
        name: value
        for name, value in new.items()
        if isinstance(value, dict) or read_count(value) is not None
    }
    return {**old, **kept}
