"""The simulated model's answer, for any protocol. One word is one token."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from casedesk_proxy.errors import BadRequest
from casedesk_proxy.simulator.script import Script

__all__ = [
    "Frame",
    "PlannedAnswer",
    "Prompt",
    "Stream",
    "Whole",
    "compose",
    "count_words",
    "embed",
    "read_text",
    "say",
]

#: The longest part of a prompt that the answer repeats, in words.
_MAX_ECHOED_WORDS = 20
_WORD = re.compile(r"\s*\S+")


@dataclass(frozen=True, slots=True)
class Prompt:
    """``text``: the user's last text; ``tokens``: words of the whole prompt; ``limit``: the most
    words to generate, None for no limit."""

    text: str
    tokens: int
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedAnswer:
    """``pieces`` are one word each, with the blank before it, and can be read once. ``whole``:
    False if the client's limit ended it."""

    pieces: Iterable[str]
    tokens: int
    prompt_tokens: int
    whole: bool


class Frame(NamedTuple):
    """Bytes of one event; ``word``: whether it waits for the script's pace."""

    data: bytes
    word: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """A reply as one JSON body, which takes as long as its ``words``."""

    value: Any
    words: int = 0


@dataclass(frozen=True, slots=True)
class Stream:
    """A reply as events; ``error`` is the frame that reports a failure between them."""

    content_type: str
    frames: Iterator[Frame]
    error: bytes


def say(text: str) -> str:
    """The sentence that answers ``text``."""
    words = text.split()
    echo = " ".join(words[:_MAX_ECHOED_WORDS]) + (" …" if len(words) > _MAX_ECHOED_WORDS else "")
    return f"Hello from the simulated node, where no model runs: café, 日本語, 😀. You said: {echo}"


def compose(prompt: Prompt, script: Script) -> PlannedAnswer:
    """The answer to a prompt, cut at the client's limit."""
    if script.words is None:
        spoken = _WORD.findall(say(prompt.text))
        wanted = len(spoken)
    else:
        spoken = []
        wanted = script.words
    tokens = wanted if prompt.limit is None else min(wanted, prompt.limit)
    pieces = spoken[:tokens] if spoken else _numbers(tokens)
    return PlannedAnswer(pieces, tokens, prompt.tokens, tokens == wanted)


def count_words(*texts: str) -> int:
    return sum(len(text.split()) for text in texts)


def read_text(content: Any) -> str:
    """The text in a string, or in a list of objects that may have a ``text``."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    return " ".join(text for text in texts if isinstance(text, str))


def embed(text: str, size: Any = None) -> list[float]:
    """A vector that depends only on ``text``, with numbers that float32 represents exactly.

    ``size`` is the requested size. Raises BadRequest.
    """
    if size is None:
        size = 8
    if not isinstance(size, int) or not 0 < size <= 4096:
        raise BadRequest.about("dimensions", "a number from 1 to 4096 is required")
    data = b""
    while len(data) < size:
        data += hashlib.sha256(b"%d %s" % (len(data), text.encode("utf-8", "replace"))).digest()
    return [(byte - 128) / 128 for byte in data[:size]]


def _numbers(count: int) -> Iterator[str]:
    for number in range(1, count + 1):
        yield str(number) if number == 1 else f" {number}"
