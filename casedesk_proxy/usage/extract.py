"""Where each dialect puts its token counts, found without parsing the whole reply.

Only counts in the protocol's own place are read: the same name in the arguments of a call is text
that the model wrote.
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
#: The end of Ollama's documents, which holds only counts and times.
_COUNTS_AT_END = re.compile(rb'(?:[,{]"\w+":\d+)+\}\Z')
_Path = tuple[str, ...]


class _Names(NamedTuple):
    """One dialect's names. ``prompt`` and ``output``: the counts that add up to Usage's prompt and
    output. ``cached`` and ``thoughts``: the paths to these counts."""

    prompt: _Path
    output: _Path
    cached: _Path
    thoughts: _Path


#: Sources: the vendors' API references. Anthropic's prompt count excludes tokens that were read
#: from a cache or written to one; Google's counts exclude thoughts and what its own tools found.
#: OpenAI's counts include all of these.
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
#: The member with llama-server's counts in chat streams, which it sends without being asked.
_TIMINGS = b'"timings"'
#: The type of the event in Anthropic's streams whose message has the prompt's counts.
_BEGINNING = b'"message_start"'
_NOTHING = Usage()
#: Recognises Responses' event streams, also if only the end of a long event is available. In an
#: event the counts are in its ``response``; in a unary body, at the top level.
_EVENTS = re.compile(rb"(?:\A|\n)(?:event|data):|\n\r?\n\Z")
#: How many count objects are read, from the end backwards. The last ones hold the final, cumulative
#: counts.
_MAX_COUNTS = 4


def find_usage(dialect: Dialect, first: bytes, last: bytes) -> Usage:
    """The counts in the beginning and the end of a reply's body; for each field the later count
    wins.

    Anthropic streams report the prompt's tokens in the first event and the output's in the last.
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
    """llama-server's counts. Its ``prompt_n`` excludes tokens that were in its cache."""
    for timings in outermost_values(last, _TIMINGS, 1):
        if isinstance(timings, dict) and (read := read_count(timings.get("prompt_n"))) is not None:
            cached = read_count(timings.get("cache_n")) or 0
            return Usage(read + cached, read_count(timings.get("predicted_n")), cached)
    return _NOTHING


def read_usage(dialect: Dialect, counts: dict[str, Any]) -> Usage:
    """Read one count object. A value that is not a count is read as None."""
    prompt, output, cached, thoughts = _NAMES[dialect]
    usage = Usage(
        _add(counts, prompt), _add(counts, output), _dig(counts, cached), _dig(counts, thoughts)
    )
    if dialect is Dialect.OPENAI and usage.prompt is None and usage.output is None:
        return _read_beside_chat(counts)
    return usage


def _read_beside_chat(counts: dict[str, Any]) -> Usage:
    """OpenAI's images and transcriptions use the names of Responses; rerankers may report only the
    total (vLLM of 2024, Jina)."""
    if "input_tokens" in counts or "output_tokens" in counts:
        return read_usage(Dialect.RESPONSES, counts)
    return Usage(read_count(counts.get("total_tokens")))


def _add(counts: dict[str, Any], names: _Path) -> int | None:
    """The sum of those of ``names`` that ``counts`` has; None if it has none of them."""
    total = read_count(counts.get(names[0]))
    for name in names[1:]:
        if (more := read_count(counts.get(name))) is not None:
            total = more + (total or 0)
    return total


def _counts(dialect: Dialect, part: bytes) -> list[Any]:
    """The values in the protocol's own place for counts, in the order of the body."""
    if dialect is Dialect.OLLAMA:
        return [_last_object(part)]
    if (document := _whole(part)) is not None:
        return [document.get(_FIELDS[dialect])]
    inside = "response" if dialect is Dialect.RESPONSES and _EVENTS.search(part) else ""
    found = outermost_values(part, _KEYS[dialect], _MAX_COUNTS, inside)
    return [*_beginning(dialect, part), *found]


def _whole(part: bytes) -> dict[str, Any] | None:
    """``part`` as a document, if it is a whole one. A short body usually is, and parsing it costs
    half as much as a search from its end. A part that begins inside a document never is."""
    if not (part.startswith(b"{") and part.endswith((b"}", b"}\n"))):
        return None
    try:
        document: dict[str, Any] = loads(part)
    except JSONError:
        return None
    return document


def _last_object(part: bytes) -> Any:
    """Ollama's last line, or its whole reply. If ``part`` has only the end of it: the counts
    there."""
    line = last_line(part)
    if line.startswith(b"{") and (document := read_object(line)) is not None:
        return document
    end = _COUNTS_AT_END.search(line)
    return read_object(b"{" + end[0][1:]) if end is not None else None


def _beginning(dialect: Dialect, part: bytes) -> list[Any]:
    """The counts of an Anthropic stream's first event, which is whole. Nothing else is read from a
    body's beginning: only the bytes after a name show how deep it is nested."""
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
    """``old`` with the counts of ``new``. A value that is not a count, such as null, does not
    replace an earlier one."""
    kept = {
        name: value
        for name, value in new.items()
        if isinstance(value, dict) or read_count(value) is not None
    }
    return {**old, **kept}
