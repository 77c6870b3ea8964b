"""What a node's error says about a request that is too long: by how much, and which part is too
long.

The words beside a number show whether it belongs to the prompt, the reply or both together. Whole
sentences are not compared, since they change with every release. Texts from: vLLM 0.6 to 0.32,
SGLang 0.5, llama-server, TGI 3, Ollama, OpenAI, Anthropic, Google.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from casedesk_proxy.jsonio import read_count

__all__ = ["Excess", "Excessive", "read_excess"]

#: How many characters of a text are read; Python reads no number with more than 4300 digits.
_MAX_READ_CHARS = 2048


class Excessive(Enum):
    PROMPT = auto()
    #: The prompt alone would fit, but not together with the reply that may follow it.
    TOGETHER = auto()
    #: The requested limit of the reply is more than the model ever writes.
    REPLY = auto()


@dataclass(frozen=True, slots=True)
class Excess:
    """Tokens; None if not reported. ``reply`` is the reply's limit in the request."""

    what: Excessive
    prompt: int | None = None
    reply: int | None = None
    room: int | None = None


_SIGNS = re.compile(
    r"context (?:size|length|window|limit)|context_length|contextlength|exceed_context"
    r"|prompt is too long|maximum model length|max_model_len|maximum input length"
    r"|input (?:token count|length)\b|input is too long|too many (?:input )?tokens"
    r"|inputs?`? (?:tokens )?(?:must have less than|\+ `?max_new_tokens)"
    r"|maximum allowed number of output tokens|supports at most \d+ (?:completion|output) tokens"
)
_ROOM = tuple(
    re.compile(pattern)
    for pattern in (
        r"context limit: \d+ \+ \d+ > (\d+)",
        r"(?:context (?:size|length|window)|maximum model length|less than)\D{0,20}(\d+)",
        r"max_new_tokens`? must be <= (\d+)",
        r"max_model_len\D{0,12}(\d+)",
        r"tokens? > (\d+) maximum",
        r"(?:allowed|maximum|limit)[^\d.]{0,24}(\d+)",
    )
)
_PROMPT = tuple(
    re.compile(pattern)
    for pattern in (
        r"context limit: (\d+) \+",
        r"(\d+) (?:tokens )?(?:in|from) (?:the |your )?(?:input )?(?:messages|prompt|inputs?)\b",
        r"(\d+) (?:input|prompt|`?inputs`?) tokens",
        r"messages resulted in (\d+)",
        r"(?:prompt is too long|input token count|input length|request)\W{0,3}(\d+)",
        r"the input \((\d+) tokens",
        r"(?:prompt|input)[^.\d]{0,30}?(\d+) tokens",
    )
)
_REPLY = tuple(
    re.compile(pattern)
    for pattern in (
        r"context limit: \d+ \+ (\d+)",
        r"(\d+) (?:tokens )?(?:in|for) the (?:completion|output|response|reply)",
        r"(\d+) (?:output|completion) tokens and",
        r"requested (\d+) (?:output|completion) tokens",
        r"(\d+) `?max_(?:new_|completion_|output_)?tokens",
        r"max_(?:new_|completion_|output_)?tokens`?'?\"?[^.\d]{0,24}?(\d+)",
    )
)
_MOST_WRITTEN = re.compile(
    r"supports at most (\d+) (?:completion|output) tokens"
    r"|cannot be greater than (?:max_model_len\D{0,3})?(\d+)"
    r"|> (\d+), which is the maximum allowed"
)
_NUMBER = re.compile(r"\d+")
#: A limit with this name is not the prompt's.
_OWN_LIMIT = re.compile(r"max_(?:new_|completion_|output_)?tokens")


def read_excess(document: Any, text: str) -> Excess | None:
    """None if the text, in lower case, is about something else."""
    error = document.get("error") if isinstance(document, dict) else None
    places = [one for one in (error, document) if isinstance(one, dict)]
    kinds = " ".join(f"{one.get('type')} {one.get('code')}" for one in places)
    text = text[:_MAX_READ_CHARS]
    if not _SIGNS.search(f"{kinds} {text}".lower()):
        return None
    for place in places:  # llama-server names them separately
        counts = read_count(place.get("n_prompt_tokens")), read_count(place.get("n_ctx"))
        if None not in counts:
            return Excess(Excessive.PROMPT, counts[0], None, counts[1])
    return _read_text(text)


def _read_text(text: str) -> Excess | None:
    reply, prompt, room = _find(_REPLY, text), _find(_PROMPT, text), _find(_ROOM, text)
    if (most := _MOST_WRITTEN.search(text)) and prompt is None:
        limit = int(next(filter(None, most.groups())))
        return Excess(Excessive.REPLY, None, reply, limit)
    if reply is not None and room is not None:
        if prompt is not None:
            what = Excessive.TOGETHER if prompt < room else Excessive.PROMPT
            return Excess(what, prompt, reply, room)
        if reply > room:
            return Excess(Excessive.REPLY, None, reply, room)
    if _OWN_LIMIT.search(text):
        return None
    if prompt is None or room is None or prompt <= room:
        largest = max((int(number) for number in _NUMBER.findall(text)), default=0)
        prompt = largest if room is not None and largest > room else None
    return Excess(Excessive.PROMPT, prompt, None, room)


def _find(patterns: tuple[re.Pattern[str], ...], text: str) -> int | None:
    for pattern in patterns:
        if found := pattern.search(text):
            return int(found[1])
    return None
